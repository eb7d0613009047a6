# Writes schema/NNN_*.sql as C, so that the binary needs no file at run time:
#   cmake -DSCHEMA_DIR=… -DOUTPUT=… -P embed_schema.cmake
file(GLOB files ${SCHEMA_DIR}/[0-9][0-9][0-9]_*.sql)
list(SORT files)
set(code "/* Made from schema/ by embed_schema.cmake. */\n#include \"persist-worker/migrate.h\"\n\n")
set(rows "")
foreach(file ${files})
  get_filename_component(name ${file} NAME)
  string(SUBSTRING ${name} 0 3 number)
  file(READ ${file} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(APPEND code "static const unsigned char sql_${number}[] = {${bytes}0};\n")
  string(REGEX REPLACE "^0+" "" plain ${number})
  string(APPEND rows "    {${plain}, \"${name}\", (const char *)sql_${number}},\n")
endforeach()
string(APPEND code "\nconst migration_t migrations[] = {\n${rows}};\n"
       "const size_t migration_count = sizeof(migrations) / sizeof(migrations[0]);\n")
file(WRITE ${OUTPUT} "${code}")
