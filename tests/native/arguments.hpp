// Arguments of the form key=value, and pictures in files.
#pragma once

#include "stable-diffusion.h"

#include <cstdint>
#include <deque>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

class Arguments {
public:
    Arguments(int argc, char** argv) {
        for (int i = 1; i < argc; i++) {
            const std::string argument = argv[i];
            const size_t equals        = argument.find('=');
            values_[argument.substr(0, equals)] = argument.substr(equals + 1);
        }
    }

    // NULL when not given.
    const char* text(const std::string& key) const {
        const auto found = values_.find(key);
        return found == values_.end() ? nullptr : found->second.c_str();
    }

    bool has(const std::string& key) const { return text(key) != nullptr; }

    // The given number, into a field that has its default already.
    template <typename T>
    void number(const std::string& key, T& field) const {
        if (const char* value = text(key)) {
            field = static_cast<T>(std::stod(value));
        }
    }

    void seed(const std::string& key, int64_t& field) const {
        if (const char* value = text(key)) {
            field = std::stoll(value);
        }
    }

    // Numbers divided by commas; stays alive as long as this.
    template <typename T>
    std::vector<T> numbers(const std::string& key) const {
        std::vector<T> all;
        if (const char* value = text(key)) {
            std::stringstream stream(value);
            for (std::string part; std::getline(stream, part, ',');) {
                all.push_back(static_cast<T>(std::stod(part)));
            }
        }
        return all;
    }

    // A file of raw pixels, named key=<width>x<height>x<channels>:<path>.
    sd_image_t picture(const std::string& key) {
        sd_image_t image{};
        const char* value = text(key);
        if (value == nullptr) {
            return image;
        }
        std::stringstream stream(value);
        char cross = 0;
        stream >> image.width >> cross >> image.height >> cross >> image.channel >> cross;
        std::string path;
        std::getline(stream, path);
        std::ifstream file(path, std::ios::binary);
        pixels_.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
        if (pixels_.back().size() != size_t{image.width} * image.height * image.channel) {
            throw std::runtime_error("wrong size of " + key);
        }
        image.data = pixels_.back().data();
        return image;
    }

    // key.0, key.1, ...
    std::vector<sd_image_t> pictures(const std::string& key) {
        std::vector<sd_image_t> all;
        while (has(key + "." + std::to_string(all.size()))) {
            all.push_back(picture(key + "." + std::to_string(all.size())));
        }
        return all;
    }

    // White of the same size, for an init image without a mask.
    sd_image_t white(const sd_image_t& of) {
        pixels_.emplace_back(size_t{of.width} * of.height, uint8_t{255});
        return {of.width, of.height, 1, pixels_.back().data()};
    }

private:
    std::map<std::string, std::string> values_;
    std::deque<std::vector<uint8_t>> pixels_;
};
