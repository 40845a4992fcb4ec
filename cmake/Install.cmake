# `cmake --install`: the program, its units, configuration, completion, manual pages, documents and licences, as component
# `weir`; the embedded store as component `store`. The units name the prefix that is installed to.
include(GNUInstallDirs)

set(WEIR_INSTALLED_FILES ${PROJECT_BINARY_DIR}/installed)
file(MAKE_DIRECTORY ${WEIR_INSTALLED_FILES})
add_custom_command(
  OUTPUT ${WEIR_INSTALLED_FILES}/stamp
  COMMAND weir-gen --install ${WEIR_INSTALLED_FILES}
  COMMAND ${CMAKE_COMMAND} -E touch ${WEIR_INSTALLED_FILES}/stamp
  DEPENDS weir-gen VERBATIM
  COMMENT "Writing manual pages and shell completion")
add_custom_target(weir_installed_files ALL DEPENDS ${WEIR_INSTALLED_FILES}/stamp)

install(TARGETS weir RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT weir)
install(DIRECTORY ${WEIR_INSTALLED_FILES}/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT weir FILES_MATCHING PATTERN "*.1")
install(FILES ${WEIR_INSTALLED_FILES}/weir DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT weir)
# Where Debian's zsh looks; `vendor-completions` elsewhere has to stand in fpath.
install(FILES ${WEIR_INSTALLED_FILES}/_weir DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions COMPONENT weir)
install(FILES ${WEIR_INSTALLED_FILES}/weir.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d COMPONENT weir)

install(FILES README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT weir)
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT weir FILES_MATCHING PATTERN "*.md" PATTERN "*.png")
install(FILES deploy/debian/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT weir)
install(FILES bpf/LICENSE.GPL-2.0-only bpf/LICENSE.BSD-2-Clause LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT weir)

# /etc belongs to /usr; any other prefix has its own.
install(CODE "
  set(prefix \"\${CMAKE_INSTALL_PREFIX}\")
  if(prefix STREQUAL \"/usr\")
    set(WEIR_CONFIG_DIR /etc/weir)
  else()
    set(WEIR_CONFIG_DIR \"\${prefix}/etc/weir\")
  endif()
  set(WEIR_BIN_DIR \"\${prefix}/${CMAKE_INSTALL_BINDIR}\")
  set(WEIR_DOC_DIR \"\${prefix}/${CMAKE_INSTALL_DOCDIR}\")
  set(source \"${PROJECT_SOURCE_DIR}/deploy\")
  file(READ \"\${source}/systemd/observing.conf\" WEIR_OBSERVING)
  file(READ \"\${source}/systemd/hardening.conf\" WEIR_HARDENING)
  foreach(unit weir weir-agent weir-server)
    configure_file(\"\${source}/systemd/\${unit}.service.in\" \"${PROJECT_BINARY_DIR}/units/\${unit}.service\" @ONLY)
    file(INSTALL \"${PROJECT_BINARY_DIR}/units/\${unit}.service\" DESTINATION \"\${prefix}/lib/systemd/system\")
  endforeach()
  file(INSTALL \"\${source}/systemd/weir.sysusers\" DESTINATION \"\${prefix}/lib/sysusers.d\" RENAME weir.conf)
  file(INSTALL \"\${source}/config/weir.toml\" \"\${source}/config/agent.toml\" \"\${source}/config/server.toml\"
       DESTINATION \"\${WEIR_CONFIG_DIR}\")
" COMPONENT weir)

set(WEIR_LIBCHDB ${PROJECT_SOURCE_DIR}/build/deps/libchdb.so CACHE FILEPATH "The embedded store that is installed")
install(FILES ${WEIR_LIBCHDB} DESTINATION lib/weir COMPONENT store)
install(FILES deploy/debian/copyright.store DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/weir-store RENAME copyright COMPONENT store)
