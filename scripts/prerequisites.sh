# Sourced by the other scripts: finds what a build needs, and installs what is missing, with the
# system's package manager where that is allowed, else without root from PyPI into .tools/.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tools="$root/.tools"
PATH="$tools/bin:$PATH"

say() { printf '%s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

any_file() {
    local path
    for path in "$@"; do [ ! -e "$path" ] || return 0; done
    return 1
}

# Runs a command as root, or fails if that would need a password.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif have sudo && sudo -n true 2>/dev/null; then
        sudo -n "$@"
    else
        return 1
    fi
}

# install_by_system DEBIAN FEDORA ARCH BREW: space-separated package names for each system.
install_by_system() {
    # Package names are several words on purpose.
    # shellcheck disable=SC2086
    if have apt-get; then
        as_root env DEBIAN_FRONTEND=noninteractive sh -c "apt-get update -qq && apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=600 $1" >&2
    elif have dnf; then
        as_root dnf install -y -q $2 >&2
    elif have pacman; then
        as_root pacman -S --noconfirm --needed $3 >&2
    elif have brew; then
        brew install $4 >&2
    else
        return 1
    fi
}

# install_from_pypi PACKAGE...: into a virtual environment whose programs are linked into .tools/bin.
install_from_pypi() {
    have python3 || return 1
    mkdir -p "$tools/bin"
    [ -x "$tools/python/bin/pip" ] || python3 -m venv "$tools/python" >&2 || return 1
    "$tools/python/bin/pip" install --quiet --disable-pip-version-check "$@" >&2 || return 1
    local package
    for package in "$@"; do
        if [ -x "$tools/python/bin/$package" ]; then
            ln -sf "$tools/python/bin/$package" "$tools/bin/$package"
        fi
    done
}

need_rust() {
    have cargo && return 0
    if [ -f "$HOME/.cargo/env" ]; then
        # shellcheck disable=SC1091
        . "$HOME/.cargo/env"
    fi
    have cargo && return 0
    say "Rust is missing. Install it with rustup: https://rustup.rs"
    exit 1
}

need_compiler() {
    if have "${CXX:-c++}" || have g++ || have clang++; then return 0; fi
    say "Installing a C++ compiler ..."
    install_by_system build-essential "gcc-c++ make" base-devel gcc && return 0
    say "A C++17 compiler is missing and could not be installed."
    say "Debian, Ubuntu: sudo apt install build-essential; macOS: xcode-select --install"
    exit 1
}

need_cmake() {
    if have cmake && have ninja; then return 0; fi
    say "Installing cmake and ninja ..."
    if install_by_system "cmake ninja-build" "cmake ninja-build" "cmake ninja" "cmake ninja"; then
        return 0
    fi
    say "  not by the system's package manager (no root); from PyPI into .tools/ instead"
    install_from_pypi cmake ninja && return 0
    say "cmake and ninja are missing and could not be installed."
    say "Debian, Ubuntu: sudo apt install cmake ninja-build"
    exit 1
}

# libclang, for the feature `bindgen`: only the check of the committed bindings needs it.
need_libclang() {
    if [ -z "${LIBCLANG_PATH:-}" ]; then
        if ! "$tools/python/bin/python" -c 'import clang' 2>/dev/null; then
            say "Installing libclang from PyPI into .tools/ ..."
            install_from_pypi libclang || { say "libclang could not be installed"; exit 1; }
        fi
        LIBCLANG_PATH=$("$tools/python/bin/python" -c 'import clang, os; print(os.path.join(os.path.dirname(clang.__file__), "native"))')
        export LIBCLANG_PATH
    fi
}

# For the check of the scripts.
need_shellcheck() {
    have shellcheck && return 0
    say "Installing ShellCheck ..."
    install_by_system shellcheck ShellCheck shellcheck shellcheck && have shellcheck && return 0
    say "ShellCheck is missing and could not be installed."
    say "Debian, Ubuntu: sudo apt install shellcheck"
    exit 1
}

# There is none for macOS.
need_valgrind() {
    have valgrind && return 0
    say "Installing Valgrind ..."
    install_by_system valgrind valgrind valgrind valgrind && have valgrind && return 0
    say "Valgrind is missing and could not be installed."
    say "Debian, Ubuntu: sudo apt install valgrind"
    exit 1
}

# For programs that are linked to the C library.
need_pkg_config() {
    have pkg-config && return 0
    say "Installing pkg-config ..."
    install_by_system pkg-config pkgconf-pkg-config pkgconf pkgconf && have pkg-config && return 0
    say "pkg-config is missing and could not be installed."
    say "Debian, Ubuntu: sudo apt install pkg-config"
    exit 1
}

need_python() {
    have python3 && return 0
    say "Installing Python ..."
    install_by_system python3 python3 python python3 && have python3 && return 0
    say "Python 3 is missing and could not be installed."
    say "Debian, Ubuntu: sudo apt install python3"
    exit 1
}

# For tests of the web page; sets `chromium`.
# shellcheck disable=SC2034
need_chromium() {
    local name
    for name in chromium chromium-browser google-chrome; do
        if have "$name"; then chromium=$(command -v "$name") && return 0; fi
    done
    say "Installing Chromium ..."
    if install_by_system chromium chromium chromium chromium && have chromium; then
        chromium=$(command -v chromium)
        return 0
    fi
    say "Chromium is missing and could not be installed."
    say "Debian: sudo apt install chromium; Ubuntu: sudo snap install chromium"
    exit 1
}

need_go() {
    have go && return 0
    say "Installing Go ..."
    install_by_system golang-go golang go go && have go && return 0
    say "Go is missing and could not be installed."
    say "Debian, Ubuntu: sudo apt install golang-go"
    exit 1
}

# What the feature `vulkan` is compiled with; the headers come with the build.
need_vulkan() {
    if have glslc && any_file /usr/lib/*/libvulkan.so /usr/lib*/libvulkan.so \
        && any_file /usr/include/spirv; then return 0; fi
    say "Installing the Vulkan loader, glslc and SPIR-V headers ..."
    install_by_system "libvulkan-dev glslc spirv-headers" "vulkan-loader-devel glslc spirv-headers-devel" \
        "vulkan-icd-loader shaderc spirv-headers" "vulkan-loader shaderc spirv-headers" && return 0
    say "The Vulkan loader, glslc or SPIR-V headers are missing and could not be installed."
    say "Debian, Ubuntu: sudo apt install libvulkan-dev glslc spirv-headers"
    exit 1
}

# A Vulkan device that every machine can have: Mesa's software driver. For tests.
need_vulkan_device() {
    any_file /usr/share/vulkan/icd.d/lvp_icd* && return 0
    say "Installing Mesa's software driver for Vulkan ..."
    install_by_system mesa-vulkan-drivers mesa-vulkan-drivers vulkan-swrast "" && return 0
    say "Mesa's software driver for Vulkan is missing and could not be installed."
    exit 1
}

need_rust
need_compiler
need_cmake
export PATH
cd "$root" || exit 1
