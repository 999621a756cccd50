// Vectors of floats as wide as the processor's, and the size of the tile that its registers hold.
#pragma once

// SDCPP_KERNELS_FOR names the inner namespace, so that a program may hold the code for several processors.
#if defined(__GNUC__) && defined(__AVX512F__)
#define SDCPP_KERNELS_HERE 1
#define SDCPP_KERNELS_FOR avx512
#elif defined(__GNUC__) && defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)
#define SDCPP_KERNELS_HERE 1
#define SDCPP_KERNELS_FOR avx2
#else
#define SDCPP_KERNELS_HERE 0
#endif

#if SDCPP_KERNELS_HERE

#include "ggml.h"

// GCC 12 warns inside of its own header.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>

#include <cstdint>
#include <cstring>

namespace sdcpp {
inline namespace SDCPP_KERNELS_FOR {

#if defined(__AVX512F__)

using vec = __m512;
constexpr int LANES = 16;
// 24 of 32 registers are sums.
constexpr int TILE_P = 32;
constexpr int TILE_Q = 12;

inline vec zero() { return _mm512_setzero_ps(); }
inline vec all(float value) { return _mm512_set1_ps(value); }
inline vec load(const float * from) { return _mm512_loadu_ps(from); }
inline void store(float * to, vec value) { _mm512_storeu_ps(to, value); }
inline vec add(vec a, vec b) { return _mm512_add_ps(a, b); }
inline vec subtract(vec a, vec b) { return _mm512_sub_ps(a, b); }
inline vec multiply(vec a, vec b) { return _mm512_mul_ps(a, b); }
inline vec multiply_add(vec a, vec b, vec sum) { return _mm512_fmadd_ps(a, b, sum); }
inline vec load(const ggml_fp16_t * from) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(from)));
}

// The first TILE_Q lanes; nothing after them is written.
inline void store_tile_q(float * to, vec value) { _mm512_mask_storeu_ps(to, (1u << TILE_Q) - 1, value); }

// Lanes from `begin` to `end`, which may lie outside of the vector; the others are 0 and are not read.
inline vec load_lanes(const float * from, int64_t begin, int64_t end) {
    const uint32_t below_end = end >= LANES ? 0xffff : end <= 0 ? 0 : (1u << end) - 1;
    const uint32_t below_begin = begin >= LANES ? 0xffff : begin <= 0 ? 0 : (1u << begin) - 1;
    return _mm512_maskz_loadu_ps(static_cast<__mmask16>(below_end & ~below_begin), from);
}

// Rows become columns.
inline void transpose(vec (&r)[LANES]) {
    vec t[LANES];
    for (int i = 0; i < LANES; i += 2) {
        t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < LANES; i += 4) {
        const auto pair = [&](int a, int b, bool high) {
            const __m512d x = _mm512_castps_pd(t[i + a]);
            const __m512d y = _mm512_castps_pd(t[i + b]);
            return _mm512_castpd_ps(high ? _mm512_unpackhi_pd(x, y) : _mm512_unpacklo_pd(x, y));
        };
        r[i] = pair(0, 2, false);
        r[i + 1] = pair(0, 2, true);
        r[i + 2] = pair(1, 3, false);
        r[i + 3] = pair(1, 3, true);
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0xdd);
    }
    for (int i = 0; i < 4; i++) {
        r[i] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88);
        r[i + 4] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0x88);
        r[i + 8] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0xdd);
        r[i + 12] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0xdd);
    }
}

#else

using vec = __m256;
constexpr int LANES = 8;
// 12 of 16 registers are sums.
constexpr int TILE_P = 16;
constexpr int TILE_Q = 6;

inline vec zero() { return _mm256_setzero_ps(); }
inline vec all(float value) { return _mm256_set1_ps(value); }
inline vec load(const float * from) { return _mm256_loadu_ps(from); }
inline void store(float * to, vec value) { _mm256_storeu_ps(to, value); }
inline vec add(vec a, vec b) { return _mm256_add_ps(a, b); }
inline vec subtract(vec a, vec b) { return _mm256_sub_ps(a, b); }
inline vec multiply(vec a, vec b) { return _mm256_mul_ps(a, b); }
inline vec multiply_add(vec a, vec b, vec sum) { return _mm256_fmadd_ps(a, b, sum); }
inline vec load(const ggml_fp16_t * from) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i *>(from)));
}

// The first TILE_Q lanes; nothing after them is written.
inline void store_tile_q(float * to, vec value) {
    _mm256_maskstore_ps(to, _mm256_setr_epi32(-1, -1, -1, -1, -1, -1, 0, 0), value);
}

// Lanes from `begin` to `end`, which may lie outside of the vector; the others are 0 and are not read.
inline vec load_lanes(const float * from, int64_t begin, int64_t end) {
    const auto bound = [](int64_t value) {
        return _mm256_set1_epi32(static_cast<int>(value < 0 ? 0 : value > LANES ? LANES : value));
    };
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256i outside = _mm256_cmpgt_epi32(bound(begin), lane);
    return _mm256_maskload_ps(from, _mm256_andnot_si256(outside, _mm256_cmpgt_epi32(bound(end), lane)));
}

// Rows become columns.
inline void transpose(vec (&r)[LANES]) {
    vec t[LANES];
    for (int i = 0; i < LANES; i += 2) {
        t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < LANES; i += 4) {
        r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
        r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x20);
        t[i + 4] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x31);
    }
    for (int i = 0; i < LANES; i++) {
        r[i] = t[i];
    }
}

#endif

// The first lanes; the others are 0, and nothing after them is read.
template <class T>
inline vec load_first(const T * from, int64_t count) {
    if (count >= LANES) {
        return load(from);
    }
    T some[LANES] = {};
    std::memcpy(some, from, static_cast<size_t>(count) * sizeof(T));
    return load(some);
}

}  // namespace SDCPP_KERNELS_FOR
}  // namespace sdcpp

#endif
