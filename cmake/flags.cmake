# Warnings for every build; sanitizers for the tests; the hardening of docs/THREAT-MODEL.md for what we ship.
include(CheckCCompilerFlag)
add_compile_options(-Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith
                    -Wwrite-strings -Wvla -fno-strict-overflow -fno-delete-null-pointer-checks
                    -ffile-prefix-map=${CMAKE_SOURCE_DIR}=.)
if(HF_WERROR)
    add_compile_options(-Werror)
endif()

# An assert is a dead gate, and a dead gate is shut: they stay in release.
string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_RELEASE "${CMAKE_C_FLAGS_RELEASE}")
string(REPLACE "-O3" "-O2" CMAKE_C_FLAGS_RELEASE "${CMAKE_C_FLAGS_RELEASE}")

if(HF_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
                        -fno-omit-frame-pointer -g -O1)
    add_link_options(-fsanitize=address,undefined)
elseif(HF_COVERAGE)
    add_compile_options(-fprofile-instr-generate -fcoverage-mapping -g -O0)
    add_link_options(-fprofile-instr-generate)
elseif(HF_SANITIZE)
    add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -g -O1)
    add_link_options(-fsanitize=address,undefined)
else()
    set(hardening -fstack-protector-strong -fstack-clash-protection -fcf-protection=full)
    # clang 14 has neither under its own name.
    foreach(flag -ftrivial-auto-var-init=zero -fzero-call-used-regs=used-gpr)
        string(MAKE_C_IDENTIFIER "HAS${flag}" has)
        check_c_compiler_flag(${flag} ${has})
        if(${has})
            list(APPEND hardening ${flag})
        endif()
    endforeach()
    add_compile_options(-g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 ${hardening})
    add_link_options(-pie -Wl,-z,relro,-z,now -Wl,-z,noexecstack -Wl,-z,nodlopen -Wl,--as-needed)
    # What we ship is optimised as one, across the rooms; the tests are linked from the same objects without. Where code
    # is made the options are named again: the linker's compiler remembers only some of them.
    if(CMAKE_C_COMPILER_ID STREQUAL GNU)
        add_compile_options(-flto=auto -ffat-lto-objects)
        set(HF_AS_ONE -flto=auto -O2 -fPIE -fno-strict-overflow -fno-delete-null-pointer-checks ${hardening})
        set(HF_APART -fno-lto)
    endif()
endif()
