"•
$0a1b2c3d-4e5f-6789-abcd-ef0123456789prodshop"cart-1*
Deployment2cart:G
@ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccapp*gone-uid