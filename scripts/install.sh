#!/usr/bin/env bash
# Builds and installs the C library, its header, its worker, and what pkg-config and CMake need:
#
#   scripts/install.sh [--prefix /usr/local] [--destdir DIR] [--engine FOLDER] [--features LIST]
#   scripts/install.sh --built FOLDER ...    installs what is in FOLDER already, and builds nothing
#   scripts/install.sh --uninstall [--prefix /usr/local] [--destdir DIR]
#
# --engine FOLDER also installs the engine libraries in FOLDER (scripts/engine-library.sh), and --destdir
# puts everything under DIR, for packages. What is installed can be moved to another prefix. The build is
# portable; SDCPP_NATIVE=1 tunes it for this machine. docs/c-api.md explains more.
set -euo pipefail

say() { printf '%s\n' "$*" >&2; }
fail() { say "install.sh: $*"; exit 1; }
usage() { sed -n '2,10s/^# \{0,1\}//p' "$0" >&2; }

prefix=/usr/local destdir='' engine='' built='' features='' uninstall=''
while [ $# -gt 0 ]; do
    case "$1" in
        --uninstall) uninstall=1 ;;
        -h | --help) usage; exit 0 ;;
        --prefix | --destdir | --engine | --built | --features)
            [ -n "${2:-}" ] || fail "$1 needs a value"
            printf -v "${1#--}" '%s' "$2"
            shift ;;
        *) usage; say; say "install.sh: unknown argument: $1"; exit 2 ;;
    esac
    shift
done
case "$prefix" in /*) ;; *) fail "--prefix must be an absolute path, and is: $prefix" ;; esac

# As the user sees them, before the script changes its folder.
absolute() { (cd "$1" 2>/dev/null && pwd) || fail "there is no folder $1"; }
[ -z "$engine" ] || engine=$(absolute "$engine")
[ -z "$built" ] || built=$(absolute "$built")
if [ -n "$destdir" ]; then
    mkdir -p "$destdir" || fail "cannot make the folder $destdir"
    destdir=$(absolute "$destdir")
fi
to="$destdir${prefix%/}"
manifest=share/sdcpp/manifest
folders="lib/cmake/sdcpp lib/cmake lib/pkgconfig lib/sdcpp share/doc/sdcpp share/doc share/sdcpp"

# remove FILE: a file of an installation, by its path in it.
remove() {
    case "/$1/" in
        *'/../'* | //*) fail "$to/$manifest names a file outside of $to: $1" ;;
    esac
    rm -f "$to/$1" || fail "cannot remove $to/$1"
}

if [ -n "$uninstall" ]; then
    [ -f "$to/$manifest" ] || fail "nothing is installed in $to: there is no $to/$manifest"
    while IFS= read -r file; do remove "$file"; done <"$to/$manifest"
    remove "$manifest"
    for folder in $folders; do
        rmdir "$to/$folder" 2>/dev/null || true # it holds files of others
    done
    say "uninstalled from $to"
    exit 0
fi

case "$(uname -s)" in
    Linux) soname=libsdcpp_capi.so.0 library=libsdcpp_capi.so extension=so ;;
    Darwin) soname=libsdcpp_capi.0.dylib library=libsdcpp_capi.dylib extension=dylib ;;
    *) fail "this script installs on Linux and macOS; elsewhere copy the library and include/sdcpp.h" ;;
esac

if [ -z "$built" ]; then
    # shellcheck source=scripts/prerequisites.sh
    . "$(dirname "$0")/prerequisites.sh"
    export SDCPP_NATIVE="${SDCPP_NATIVE:-0}"
    cargo build --release --locked --package sdcpp-capi ${features:+--features "$features"}
    built="${CARGO_TARGET_DIR:-$root/target}/release"
else
    [ -z "$features" ] || fail "--features is for a build, and --built installs one that is there"
    cd "$(dirname "$0")/.."
fi
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
[ -n "$version" ] || fail "Cargo.toml has no version"
case "$extension" in
    so) real=$library.$version ;;
    dylib) real=libsdcpp_capi.$version.dylib ;;
esac
for file in "$library" sdcpp-worker; do
    [ -f "$built/$file" ] || fail "there is no $built/$file: cargo build --release -p sdcpp-capi makes it"
done

if [ -n "$engine" ]; then
    set -- "$engine"/libsdcpp_engine_*."$extension"
    [ -f "$1" ] || fail "there is no libsdcpp_engine_*.$extension in $engine"
else
    set --
fi

# Lines, each a path in the prefix.
before='' installed=''
[ ! -f "$to/$manifest" ] || before=$(cat "$to/$manifest")
# What was placed before a failure is in the manifest too, for --uninstall.
trap '[ -z "$installed" ] || printf "%s\n" "$before" "$installed" | sed "/^$/d" | sort -u | place "$manifest" 644' EXIT

# place FILE MODE [SOURCE]: the source, or the standard input, becomes FILE at once, also where a program
# uses the one that was there: that program keeps it.
place() {
    local file="$to/$1" new="$to/$1.new.$$"
    mkdir -p "$(dirname "$file")" || fail "cannot make $(dirname "$file"): use sudo, or another --prefix"
    if ! { cat -- "${3:--}" >"$new" && chmod "$2" "$new" && mv -f "$new" "$file"; }; then
        rm -f "$new"
        fail "cannot write $file: use sudo, or another --prefix"
    fi
    installed+="$1"$'\n'
}

# place_link FILE TARGET: the same for a symbolic link.
place_link() {
    local new="$to/$1.new.$$"
    if ! { ln -s "$2" "$new" && mv -f "$new" "$to/$1"; }; then
        rm -f "$new"
        fail "cannot make the link $to/$1"
    fi
    installed+="$1"$'\n'
}

place "lib/$real" 755 "$built/$library"
place_link "lib/$soname" "$real"
place_link "lib/$library" "$soname"
place libexec/sdcpp-worker 755 "$built/sdcpp-worker"
place include/sdcpp.h 644 include/sdcpp.h
for file in LICENSE-MIT LICENSE-APACHE LICENSE-THIRD-PARTY.md; do
    place "share/doc/sdcpp/$file" 644 "$file"
done
for file in "$@"; do place "lib/sdcpp/${file##*/}" 755 "$file"; done

# pkg-config and CMake start at the places of their own files, so that the prefix can be moved.
place lib/pkgconfig/sdcpp.pc 644 <<END
prefix=\${pcfiledir}/../..
libdir=\${prefix}/lib
includedir=\${prefix}/include

Name: sdcpp
Description: Pictures and videos by Stable Diffusion, FLUX and other models
Version: $version
Libs: -L\${libdir} -lsdcpp_capi
Cflags: -I\${includedir}
END

place lib/cmake/sdcpp/sdcpp-config.cmake 644 <<END
# find_package(sdcpp) gives the target sdcpp::sdcpp, and sdcpp_WORKER, the program of isolated pools.
get_filename_component(_sdcpp_prefix "\${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
if(NOT TARGET sdcpp::sdcpp)
  add_library(sdcpp::sdcpp SHARED IMPORTED)
  set_target_properties(sdcpp::sdcpp PROPERTIES
    IMPORTED_LOCATION "\${_sdcpp_prefix}/lib/$real"
    IMPORTED_SONAME "$([ "$extension" = so ] || echo @rpath/)$soname"
    INTERFACE_INCLUDE_DIRECTORIES "\${_sdcpp_prefix}/include")
endif()
set(sdcpp_WORKER "\${_sdcpp_prefix}/libexec/sdcpp-worker")
unset(_sdcpp_prefix)
END

place lib/cmake/sdcpp/sdcpp-config-version.cmake 644 <<END
# Any version from the one that is asked for, with the same major number.
set(PACKAGE_VERSION "$version")
if(PACKAGE_FIND_VERSION VERSION_GREATER PACKAGE_VERSION
    OR (PACKAGE_FIND_VERSION AND NOT PACKAGE_FIND_VERSION_MAJOR STREQUAL "${version%%.*}"))
  set(PACKAGE_VERSION_COMPATIBLE FALSE)
else()
  set(PACKAGE_VERSION_COMPATIBLE TRUE)
  if(PACKAGE_FIND_VERSION VERSION_EQUAL PACKAGE_VERSION)
    set(PACKAGE_VERSION_EXACT TRUE)
  endif()
endif()
if(CMAKE_SIZEOF_VOID_P AND NOT CMAKE_SIZEOF_VOID_P EQUAL 8)
  set(PACKAGE_VERSION_UNSUITABLE TRUE)
endif()
END

# What an earlier version had and this one has not goes.
while IFS= read -r file; do
    [ -z "$file" ] || grep -qxF -e "$file" <<<"$installed" || remove "$file"
done <<<"$before"
trap - EXIT
printf '%s' "$installed" | place "$manifest" 644

say "installed sdcpp $version in $to"
if [ -z "$destdir" ] && [ "$(id -u)" = 0 ] && command -v ldconfig >/dev/null 2>&1; then
    ldconfig || say "ldconfig failed: programs may not find $prefix/lib/$soname"
fi
