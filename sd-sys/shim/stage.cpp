#include "stage.hpp"

#include <charconv>

namespace sdcpp {

namespace {

bool starts_with(std::string_view text, std::string_view start) {
    return text.substr(0, start.size()) == start;
}

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

// Reads the number at the start of `text` and drops it.
int32_t take_number(std::string_view& text) {
    int32_t value = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
    text.remove_prefix(static_cast<size_t>(result.ptr - text.data()));
    return value;
}

}  // namespace

std::string_view message_of(std::string_view line) {
    const size_t dash = line.find(" - ");
    const size_t colon = line.find(':');
    if (dash == std::string_view::npos || colon == std::string_view::npos || colon > dash) {
        return line;
    }
    return line.substr(dash + 3);
}

StageTracker::Change StageTracker::enter(int32_t stage, Change change) {
    tiled_ = false;
    stage_ = stage;
    return change;
}

// The lines are upstream's at the pin; docs/architecture.md says how a new pin is checked against
// them. A line that no longer comes costs detail in events and errors, never safety: stopping is
// only allowed in states that these lines prove.
StageTracker::Change StageTracker::see(std::string_view line) {
    // Converting reads weights too, and is one stage.
    if (stage_ == SDCPP_STAGE_CONVERTING) {
        return Change::None;
    }
    if (starts_with(line, "loading ") && contains(line, " tensors from ")) {
        const bool began = !loading_;
        loading_ = true;
        return began ? Change::Began : Change::None;
    }
    if (starts_with(line, "loading tensors completed")) {
        // Back in the stage that needed the weights.
        loading_ = false;
        return Change::Began;
    }
    if (starts_with(line, "processing ") && contains(line, " tiles")) {
        tiled_ = true;
        return Change::None;
    }
    if (starts_with(line, "sampling using ")) {
        return enter(encodes_image_ ? SDCPP_STAGE_VAE_ENCODING : SDCPP_STAGE_TEXT_ENCODING,
                     Change::Began);
    }
    if (starts_with(line, "encode_first_stage completed")) {
        return enter(SDCPP_STAGE_TEXT_ENCODING, Change::Began);
    }
    if (starts_with(line, "get_learned_condition completed")) {
        return enter(SDCPP_STAGE_SAMPLING, Change::Began);
    }
    constexpr std::string_view generating = "generating image: ";
    if (starts_with(line, generating)) {
        line.remove_prefix(generating.size());
        image_ = take_number(line);
        if (!line.empty()) {
            line.remove_prefix(1);
        }
        images_ = take_number(line);
        return enter(SDCPP_STAGE_SAMPLING, Change::BeganAtSafePoint);
    }
    if (starts_with(line, "sampling(high noise) completed")) {
        return enter(SDCPP_STAGE_SAMPLING, Change::BeganAtSafePoint);
    }
    if ((starts_with(line, "decoding ") && contains(line, " latents")) ||
        starts_with(line, "generating latent video completed")) {
        return enter(SDCPP_STAGE_VAE_DECODING, Change::BeganAtSafePoint);
    }
    if (starts_with(line, "hires fix: upscaling to ")) {
        return enter(SDCPP_STAGE_UPSCALING, Change::BeganAtSafePoint);
    }
    if (starts_with(line, "hires fix: scheduler_steps=")) {
        return enter(SDCPP_STAGE_SAMPLING, Change::BeganAtSafePoint);
    }
    return Change::None;
}

}  // namespace sdcpp
