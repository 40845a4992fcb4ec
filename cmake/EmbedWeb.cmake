# weir_embed_web(<target> <dist-dir>): turns the built web UI into one C++ source that holds its bytes (tools/embed.py).
# Without a built UI the binary still builds and serves a page that says how to build it.
function(weir_embed_web target dist)
  set(generated ${CMAKE_CURRENT_BINARY_DIR}/${target}_web_assets.cc)
  file(GLOB_RECURSE assets CONFIGURE_DEPENDS ${dist}/*)
  add_custom_command(OUTPUT ${generated}
    COMMAND python3 ${PROJECT_SOURCE_DIR}/tools/embed.py ${dist} ${generated}
    DEPENDS ${PROJECT_SOURCE_DIR}/tools/embed.py ${assets}
    COMMENT "Embedding the web UI" VERBATIM)
  target_sources(${target} PRIVATE ${generated})
endfunction()
