// PNG files by the writer that the engine's command line uses: width and height are the arguments, the
// pixels (RGB) come on standard input, and for each line after them the picture is encoded once. It tells
// the seconds that took, and the bytes of the file.
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#include "stb_image_write.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

void count(void* context, void*, int size) { *static_cast<size_t*>(context) += static_cast<size_t>(size); }

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        return 2;
    }
    const int width = std::atoi(argv[1]), height = std::atoi(argv[2]);
    if (width <= 0 || height <= 0) {
        return 2;
    }
    std::vector<unsigned char> pixels(static_cast<size_t>(width) * static_cast<size_t>(height) * 3);
    if (std::fread(pixels.data(), 1, pixels.size(), stdin) != pixels.size()) {
        return 1;
    }
    while (std::fgetc(stdin) == '\n') {
        size_t bytes     = 0;
        const auto begin = std::chrono::steady_clock::now();
        if (stbi_write_png_to_func(count, &bytes, width, height, 3, pixels.data(), width * 3) == 0) {
            return 1;
        }
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
        std::printf("%.9f %zu\n", took.count(), bytes);
        std::fflush(stdout);
    }
    return 0;
}
