# `cpack`: two Debian packages. `weir` is all a node with an agent needs, some megabytes. `weir-store` is the embedded store,
# half a gigabyte that only `weir up` and `weir server` load and that changes with libchdb alone: apart, an upgrade of Weir
# on a thousand nodes does not carry it along.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME weir)
set(CPACK_PACKAGE_VENDOR "Weir")
set(CPACK_PACKAGE_CONTACT "Weir maintainers <weir@localhost>")
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_SOURCE_DIR}/build/package)
set(CPACK_COMPONENTS_ALL weir store)
set(CPACK_STRIP_FILES ON)
set(CPACK_SET_DESTDIR ON)  # so that /etc is /etc, and units name the final prefix
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_COMPRESSION_TYPE zstd)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_DEBIAN_WEIR_PACKAGE_NAME weir)
set(CPACK_DEBIAN_WEIR_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_WEIR_PACKAGE_SECTION net)
set(CPACK_DEBIAN_WEIR_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_WEIR_PACKAGE_DEPENDS "adduser, ca-certificates")
set(CPACK_DEBIAN_WEIR_PACKAGE_SUGGESTS "weir-store")
set(CPACK_COMPONENT_WEIR_DESCRIPTION "measures the network under containers
 An eBPF agent reads the counters the kernel keeps for every socket, a server joins what both ends of a connection saw and
 answers who talks to whom, how much and how well. The server and `weir up` need the package weir-store as well.")
set(CPACK_DEBIAN_WEIR_PACKAGE_CONTROL_EXTRA
  ${PROJECT_SOURCE_DIR}/deploy/debian/postinst ${PROJECT_SOURCE_DIR}/deploy/debian/prerm
  ${PROJECT_SOURCE_DIR}/deploy/debian/postrm ${PROJECT_SOURCE_DIR}/deploy/debian/conffiles)

set(CPACK_DEBIAN_STORE_PACKAGE_NAME weir-store)
set(CPACK_DEBIAN_STORE_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_STORE_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_STORE_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_STORE_PACKAGE_DEPENDS "tzdata")
set(CPACK_DEBIAN_STORE_PACKAGE_ENHANCES weir)
set(CPACK_COMPONENT_STORE_DESCRIPTION "embedded store of weir (ClickHouse as a library)
 What `weir up` and `weir server` keep flows in. An agent alone does not need it.")
include(CPack)
