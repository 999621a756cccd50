// The C interface with owners, exceptions and values of C++17: a start for an application's own.
// Only what examples/cpp/pool.cpp needs is here; everything else is called the same way.

#pragma once

#include <sdcpp.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace sdcpp {

/// What a function of the library failed with.
class Error : public std::runtime_error {
public:
    explicit Error(const sdcpp_error &error)
        : std::runtime_error(error.message), code_(error.code), kind_(error.kind),
          advice_(error.advice) {}

    /// One of the `SDCPP_` codes.
    int32_t code() const noexcept { return code_; }
    /// The name of the code, as in `out_of_memory`.
    const std::string &kind() const noexcept { return kind_; }
    /// What the user can try; may be empty.
    const std::string &advice() const noexcept { return advice_; }

private:
    int32_t code_;
    std::string kind_;
    std::string advice_;
};

/// Throws what a call failed with.
inline void check(int32_t code) {
    if (code != SDCPP_OK) {
        throw Error(*sdcpp_last_error());
    }
}

template <typename Handle, int32_t (*Free)(Handle *)> struct Deleter {
    void operator()(Handle *handle) const noexcept { Free(handle); }
};
template <typename Handle, int32_t (*Free)(Handle *)>
using Owner = std::unique_ptr<Handle, Deleter<Handle, Free>>;

/// A struct of the library with its defaults.
template <typename Struct> Struct defaults(int32_t (*init)(Struct *, std::size_t)) {
    Struct made;
    check(init(&made, sizeof made));
    return made;
}

/// Pictures.
class Result {
public:
    explicit Result(sdcpp_result *result) noexcept : result_(result) {}

    void save(std::size_t index, const std::string &path) const {
        check(sdcpp_result_save(result_.get(), index, path.c_str()));
    }
    /// What it points to lives as long as this.
    sdcpp_image image(std::size_t index) const {
        sdcpp_image image{};
        image.size = sizeof image;
        check(sdcpp_result_image(result_.get(), index, &image));
        return image;
    }

private:
    Owner<sdcpp_result, sdcpp_result_free> result_;
};

/// An operation of a pool. Destroying it cancels it if it has not ended.
class Job {
public:
    explicit Job(sdcpp_job *job) noexcept : job_(job) {}

    /// Waits for the end, and gives the pictures; throws what the operation failed with.
    Result wait() {
        sdcpp_result *result = nullptr;
        check(sdcpp_job_wait(job_.get(), SDCPP_FOREVER, &result));
        return Result(result);
    }

private:
    Owner<sdcpp_job, sdcpp_job_free> job_;
};

/// Models and a queue. For any number of threads.
class Pool {
public:
    Pool(const sdcpp_model_config &config, const sdcpp_pool_options &options) {
        sdcpp_pool *pool = nullptr;
        check(sdcpp_pool_open(&config, &options, &pool));
        pool_.reset(pool);
    }

    Job submit(const sdcpp_image_request &request, const sdcpp_watch *watch = nullptr) const {
        sdcpp_job *job = nullptr;
        check(sdcpp_pool_submit(pool_.get(), &request, watch, &job));
        return Job(job);
    }
    sdcpp_pool_metrics metrics() const {
        sdcpp_pool_metrics metrics{};
        metrics.size = sizeof metrics;
        check(sdcpp_pool_metrics_get(pool_.get(), &metrics));
        return metrics;
    }
    /// Lets what runs finish, and ends the workers.
    void shut_down(std::chrono::milliseconds limit) const {
        auto milliseconds = static_cast<uint64_t>(limit.count());
        check(sdcpp_pool_shutdown(pool_.get(), SDCPP_SHUTDOWN_FINISH, milliseconds));
    }

private:
    Owner<sdcpp_pool, sdcpp_pool_free> pool_;
};

} // namespace sdcpp
