#!/usr/bin/env python3
"""Trains the demo model of examples/models: a tiny Z-Image that draws "a red circle".

It writes two files, PREFIX_q8_0.gguf (denoiser and text encoder) and PREFIX_tae.gguf
(the TAESD autoencoder that turns latents into pictures and back).

Run it from the root of the repository (Python 3.11 or newer; versions it was tried with):

  python3 -m venv target/train-venv
  target/train-venv/bin/pip install numpy==2.4.6 jax==0.10.2 optax==0.2.8 gguf==0.19.0
  find target -path '*/tokenizers/vocab/qwen_merges.hpp'
  target/train-venv/bin/python scripts/train_demo_model.py --vocab PATH_FOUND_ABOVE \\
      --minutes 40 --batch 32 -o target/demo

--vocab is the engine's table of Qwen token merges, `src/tokenizers/vocab/qwen_merges.hpp`
in the engine source unpacked by the build (see vendor/README.md): build once before `find`.

The shipped files took 40 minutes on 2 CPU cores: 3,420 steps of 32 pictures, loss 0.041.
--minutes trains for a time, and the learning rate falls with the clock; --steps trains for
a number of steps, and the same seed then gives the same model on the same machine.

What is trained and what is not:

* The denoiser is a Z-Image of width 256 with 2 layers and one refiner for each of noise and
  context. 256 is the least width that the engine loads. It is computed here as the engine
  computes it.
* The text encoder has no layers: it is Qwen's token embedding alone, 32 wide, with zeros for
  the tokens of all other words. Only the rows of the words in the training set are trained.
* The autoencoder is set by hand. Its latent is the picture at 1/8 of its size, with RGB
  repeated five times in 16 channels; the decoder enlarges, smooths and sharpens it.
"""

import argparse
import itertools
import re
import sys
import time
import zlib
from pathlib import Path

import gguf
import jax
import jax.numpy as jnp
import numpy as np
import optax
from gguf import GGMLQuantizationType as QType

COLORS = {
    "red": (1, 0, 0),
    "green": (0, 1, 0),
    "blue": (0, 0, 1),
    "yellow": (1, 1, 0),
    "purple": (1, 0, 1),
    "black": (0, 0, 0),
}
SHAPES = ("circle", "square", "triangle", "cross")

LATENT_SIZE = 16  # 128 pixels / 8
LATENT_CHANNELS = 16
PATCH = 2
PATCH_GRID = LATENT_SIZE // PATCH
PATCH_DIM = LATENT_CHANNELS * PATCH * PATCH

WIDTH = 256
HEAD = 128  # the engine's rotary axes are fixed to 32 + 48 + 48
HEADS = WIDTH // HEAD
FEED_FORWARD = 768  # 8/3 of the width, rounded up to a multiple of 256
TIME_DIM = 256
LAYERS = 2
TEXT_DIM = 32
TEXT_LEN = 32  # the engine pads the text to a multiple of 32 tokens

VOCAB_ROWS = 151936
QWEN_TOKENS = 151643  # 256 bytes and 151,387 merges; the special tokens follow
SPECIAL_TOKENS = {"<|im_start|>": 151644, "<|im_end|>": 151645}
KNOWN_IDS = {"user": 872, "assistant": 77091, "Ġa": 264, "Ġtriangle": 21495}

LEARNING_RATE = 1.5e-3
DIT_PREFIX = "model.diffusion_model."
TEXT_PREFIX = "text_encoders.llm.model."


# ------------------------------------------------------------------ tokens


def qwen_ids(path):
    """Token -> number, read from the engine's C array of merges ("Ġ" stands for a space)."""
    try:
        source = Path(path).read_text(encoding="ascii")
    except OSError as e:
        sys.exit(f"error: cannot read --vocab {path}: {e.strerror}")
    except UnicodeDecodeError:
        sys.exit(f"error: --vocab {path} is no C array of bytes; expected qwen_merges.hpp")
    try:
        merges = bytes(int(x, 16) for x in re.findall(r"0x([0-9a-f]{2})", source)).decode()
    except UnicodeDecodeError:
        sys.exit(f"error: --vocab {path} holds no UTF-8 text; expected qwen_merges.hpp")
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    bytes_as_chars = printable + [256 + i for i in range(256 - len(printable))]
    tokens = [chr(c) for c in bytes_as_chars]
    tokens += [m.replace(" ", "", 1) for m in merges.split("\n") if m]
    ids = {t: i for i, t in enumerate(tokens)}
    if len(tokens) != QWEN_TOKENS or any(ids.get(t) != i for t, i in KNOWN_IDS.items()):
        sys.exit(
            f"error: --vocab {path} is not the Qwen table ({len(tokens)} tokens, expected "
            f"{QWEN_TOKENS}); expected the engine's src/tokenizers/vocab/qwen_merges.hpp"
        )
    return ids | SPECIAL_TOKENS


def chat_tokens(words):
    """The chat template that the engine puts around a Z-Image prompt, one token per word."""
    prompt = [w if i == 0 else "Ġ" + w for i, w in enumerate(words)]
    return [
        *("<|im_start|>", "user", "Ċ"),
        *prompt,
        *("<|im_end|>", "Ċ", "<|im_start|>", "assistant", "Ċ"),
    ]


def trained_tokens(ids):
    """The tokens that have a row in the small embedding table, in the order of its rows."""
    template = {"<|im_start|>", "user", "Ċ", "<|im_end|>", "assistant"}
    words = {p + w for w in ("a", *COLORS, *SHAPES) for p in ("", "Ġ")}
    tokens = sorted(template | words)
    if missing := [t for t in tokens if t not in ids]:
        sys.exit(f"error: no single token in the Qwen table for {', '.join(missing)}")
    return tokens


# ------------------------------------------------------------------ pictures


def render(rng, color, shape, n):
    """A picture of n x n RGB pixels in -1..1 on white. Its edges are two pixels wide, which
    the decoder sharpens again."""
    y, x = np.mgrid[0:n, 0:n] + 0.5
    r = n * rng.uniform(0.26, 0.36)
    cx, cy = n / 2 + rng.uniform(-0.1, 0.1, 2) * n
    dx, dy = x - cx, y - cy
    if shape == "circle":
        distance = np.hypot(dx, dy) - r
    elif shape == "square":
        distance = np.maximum(abs(dx), abs(dy)) - 0.88 * r
    elif shape == "triangle":
        distance = np.maximum(dy - 0.7 * r, 0.866 * abs(dx) - 0.5 * dy - 0.55 * r)
    else:
        distance = np.minimum(
            np.maximum(abs(dx) - r, abs(dy) - 0.33 * r),
            np.maximum(abs(dy) - r, abs(dx) - 0.33 * r),
        )
    mask = np.clip(0.5 - distance / 2, 0, 1)[..., None]
    return (1 - mask + mask * np.array(COLORS[color])) * 2 - 1


def to_latent(picture):
    """(h, w, 3) to (h, w, 16): RGB five times, and one channel of zeros."""
    return np.concatenate([np.tile(picture, 5), np.zeros(picture.shape[:2] + (1,))], -1)


def patchify(z):
    """(batch, h, w, c) to (batch, tokens, 4 c)."""
    b, h, w, c = z.shape
    z = z.reshape(b, h // PATCH, PATCH, w // PATCH, PATCH, c).transpose(0, 1, 3, 2, 4, 5)
    return z.reshape(b, -1, PATCH * PATCH * c)


def batches(rng, size, row):
    """Endless batches of (rows of the embedding table, number of tokens, patches)."""
    combinations = list(itertools.product(COLORS, SHAPES))
    while True:
        ids = np.zeros((size, TEXT_LEN), np.int32)
        lengths = np.zeros(size, np.int32)
        latents = []
        for i in range(size):
            color, shape = combinations[rng.integers(len(combinations))]
            full, short = ["a", color, shape], [color, shape]
            # now and then no prompt at all: classifier-free guidance needs it
            words = [] if rng.random() < 0.08 else (full, full, short)[rng.integers(3)]
            tokens = [row[t] for t in chat_tokens(words)]
            ids[i, : len(tokens)] = tokens
            lengths[i] = len(tokens)
            latents.append(to_latent(render(rng, color, shape, LATENT_SIZE)))
        yield ids, lengths, patchify(np.array(latents, np.float32))


# ------------------------------------------------------------------ Z-Image


def zimage_tensors():
    """The denoiser's tensors: name -> (shape in PyTorch's order, how it starts)."""
    tensors = {}

    def linear(name, n_in, n_out, bias=True, init="normal"):
        tensors[name + ".weight"] = (n_out, n_in), init
        if bias:
            tensors[name + ".bias"] = (n_out,), "zeros"

    def norm(name, n):
        tensors[name + ".weight"] = (n,), "ones"

    def block(name, modulated):
        linear(name + ".attention.qkv", WIDTH, 3 * WIDTH, bias=False)
        linear(name + ".attention.out", WIDTH, WIDTH, bias=False)
        norm(name + ".attention.q_norm", HEAD)
        norm(name + ".attention.k_norm", HEAD)
        linear(name + ".feed_forward.w1", WIDTH, FEED_FORWARD, bias=False)
        linear(name + ".feed_forward.w2", FEED_FORWARD, WIDTH, bias=False)
        linear(name + ".feed_forward.w3", WIDTH, FEED_FORWARD, bias=False)
        for x in ("attention_norm1", "ffn_norm1", "attention_norm2", "ffn_norm2"):
            norm(f"{name}.{x}", WIDTH)
        if modulated:
            linear(name + ".adaLN_modulation.0", TIME_DIM, 4 * WIDTH, init="small")

    linear("x_embedder", PATCH_DIM, WIDTH)
    linear("t_embedder.mlp.0", TIME_DIM, WIDTH)
    linear("t_embedder.mlp.2", WIDTH, TIME_DIM)
    norm("cap_embedder.0", TEXT_DIM)
    linear("cap_embedder.1", TEXT_DIM, WIDTH)
    tensors["cap_pad_token"] = (WIDTH,), "small"
    tensors["x_pad_token"] = (WIDTH,), "small"
    block("noise_refiner.0", modulated=True)
    block("context_refiner.0", modulated=False)
    for i in range(LAYERS):
        block(f"layers.{i}", modulated=True)
    linear("final_layer.linear", WIDTH, PATCH_DIM, init="zeros")
    linear("final_layer.adaLN_modulation.1", TIME_DIM, WIDTH, init="small")
    return tensors


def initial_value(name, shape, init, seed):
    """Normal with a deviation of 1 / sqrt(inputs), a tenth of that ("small"), zeros or ones."""
    if init == "zeros":
        return np.zeros(shape, np.float32)
    if init == "ones":
        return np.ones(shape, np.float32)
    rng = np.random.Generator(np.random.PCG64([seed, zlib.crc32(name.encode())]))
    a = rng.standard_normal(shape, dtype=np.float32)
    a *= (0.1 if init == "small" else 1.0) / np.sqrt(shape[1] if len(shape) > 1 else 1)
    return a


def initial_parameters(n_tokens, seed):
    P = {n: jnp.asarray(initial_value(n, *t, seed)) for n, t in zimage_tensors().items()}
    P["embed"] = jax.random.normal(jax.random.PRNGKey(seed), (n_tokens, TEXT_DIM))
    P["text_norm"] = jnp.ones(TEXT_DIM)
    return P


def rms(x, weight, eps):
    return x * jax.lax.rsqrt((x * x).mean(-1, keepdims=True) + eps) * weight


def rope_table(positions):
    """Cosines and sines for positions (n, 3) on the three rotary axes."""
    angles = []
    for axis, dim in enumerate((32, 48, 48)):
        omega = 256.0 ** -np.linspace(0, (dim - 2) / dim, dim // 2)
        angles.append(positions[:, axis : axis + 1] * omega)
    angles = np.concatenate(angles, -1)
    return jnp.asarray(np.cos(angles), jnp.float32), jnp.asarray(np.sin(angles), jnp.float32)


def rope(x, table):
    """Rotates neighbouring pairs of x (batch, length, heads, dim)."""
    c, s = (t[None, :, None] for t in table)
    a, b = x[..., 0::2], x[..., 1::2]
    return jnp.stack([a * c - b * s, a * s + b * c], -1).reshape(x.shape)


def apply_linear(P, name, x):
    y = x @ P[name + ".weight"].T
    return y + P[name + ".bias"] if name + ".bias" in P else y


def block(P, name, x, table, t=None):
    """One transformer block; t is the embedded time, or None for a block without modulation."""

    def linear(part, h):
        return apply_linear(P, f"{name}.{part}", h)

    def norm(part, h, eps=1e-5):
        return rms(h, P[f"{name}.{part}.weight"], eps)

    if t is None:
        scale_a = scale_f = 0.0
        gate_a = gate_f = 1.0
    else:
        modulation = linear("adaLN_modulation.0", t)[:, None]
        scale_a, gate_a, scale_f, gate_f = jnp.split(modulation, 4, -1)
        gate_a, gate_f = jnp.tanh(gate_a), jnp.tanh(gate_f)
    batch, length, _ = x.shape

    h = norm("attention_norm1", x) * (1 + scale_a)
    qkv = linear("attention.qkv", h).reshape(batch, length, 3 * HEADS, HEAD)
    q, k, v = jnp.split(qkv, 3, 2)
    q = rope(norm("attention.q_norm", q, 1e-6), table)
    k = rope(norm("attention.k_norm", k, 1e-6), table)
    attention = jax.nn.softmax(jnp.einsum("blhd,bmhd->bhlm", q, k) / np.sqrt(HEAD), -1)
    h = jnp.einsum("bhlm,bmhd->blhd", attention, v).reshape(batch, length, WIDTH)
    x = x + norm("attention_norm2", linear("attention.out", h)) * gate_a

    h = norm("ffn_norm1", x) * (1 + scale_f)
    h = jax.nn.silu(linear("feed_forward.w1", h)) * linear("feed_forward.w3", h)
    return x + norm("ffn_norm2", linear("feed_forward.w2", h)) * gate_f


def forward(P, ids, lengths, patches, t):
    """Data minus noise, for patches (batch, tokens, 64) at times t = 1000 - 1000 sigma."""
    n_patches = patches.shape[1]
    positions = [(i + 1, 0, 0) for i in range(TEXT_LEN)]
    positions += [(TEXT_LEN + 1, *divmod(i, PATCH_GRID)) for i in range(n_patches)]
    table = rope_table(np.array(positions, np.float64))

    text = rms(P["embed"][ids], P["text_norm"], 1e-6)
    text = apply_linear(P, "cap_embedder.1", rms(text, P["cap_embedder.0.weight"], 1e-5))
    is_text = jnp.arange(TEXT_LEN)[None] < lengths[:, None]
    text = jnp.where(is_text[..., None], text, P["cap_pad_token"])

    frequencies = jnp.exp(-np.log(10000.0) * jnp.arange(TIME_DIM // 2) / (TIME_DIM // 2))
    angles = t[:, None] * frequencies
    time_in = jnp.concatenate([jnp.cos(angles), jnp.sin(angles)], -1)
    time_in = jax.nn.silu(apply_linear(P, "t_embedder.mlp.0", time_in))
    time_in = apply_linear(P, "t_embedder.mlp.2", time_in)

    image = apply_linear(P, "x_embedder", patches)
    text = block(P, "context_refiner.0", text, tuple(c[:TEXT_LEN] for c in table))
    image = block(P, "noise_refiner.0", image, tuple(c[TEXT_LEN:] for c in table), time_in)
    x = jnp.concatenate([text, image], 1)
    for i in range(LAYERS):
        x = block(P, f"layers.{i}", x, table, time_in)
    x = x[:, TEXT_LEN:]

    x = (x - x.mean(-1, keepdims=True)) * jax.lax.rsqrt(x.var(-1, keepdims=True) + 1e-6)
    scale = apply_linear(P, "final_layer.adaLN_modulation.1", jax.nn.silu(time_in))
    return apply_linear(P, "final_layer.linear", x * (1 + scale[:, None]))


# ------------------------------------------------------------------ training


def loss_fn(P, ids, lengths, data, noise, sigma):
    s = sigma[:, None, None]
    out = forward(P, ids, lengths, (1 - s) * data + s * noise, 1000 - 1000 * sigma)
    return ((out - (data - noise)) ** 2).mean()


def train(data, n_tokens, seed, minutes=None, steps=None):
    """Trains for a time or for a number of steps; returns the averaged parameters."""
    P = initial_parameters(n_tokens, seed + 1)
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.scale_by_adam(b1=0.9, b2=0.98))
    state = optimizer.init(P)
    average = P
    key = jax.random.PRNGKey(seed + 7)
    print(f"{sum(v.size for v in P.values())} parameters, {n_tokens} tokens", flush=True)

    @jax.jit
    def step(P, average, state, i, decay, ids, lengths, data, key):
        key_sigma, key_noise = jax.random.split(key)
        u = jax.nn.sigmoid(jax.random.normal(key_sigma, (data.shape[0],)) * 1.2)
        sigma = 3 * u / (1 + 2 * u)  # the flow shift 3 that the engine samples with
        noise = jax.random.normal(key_noise, data.shape)
        loss, gradient = jax.value_and_grad(loss_fn)(P, ids, lengths, data, noise, sigma)
        update, state = optimizer.update(gradient, state, P)
        rate = LEARNING_RATE * jnp.minimum(1, (i + 1) / 40) * decay
        P = jax.tree.map(lambda p, d: p - rate * d, P, update)
        momentum = jnp.minimum(0.98, i / (i + 20.0))
        average = jax.tree.map(lambda e, p: momentum * e + (1 - momentum) * p, average, P)
        return P, average, state, loss

    losses = []
    start = time.time()
    while True:
        i, elapsed = len(losses), time.time() - start
        done = i / steps if steps else elapsed / (minutes * 60)
        if done >= 1:
            break
        decay = 1.0 if done < 0.6 else max(0.02, (1 - done) / 0.4)
        key, step_key = jax.random.split(key)
        P, average, state, loss = step(
            P, average, state, jnp.float32(i), jnp.float32(decay), *next(data), step_key
        )
        losses.append(float(loss))
        if i + 1 in (1, 5) or (i + 1) % 50 == 0:
            print(f"step {i + 1}  {elapsed:.0f} s  loss {np.mean(losses[-50:]):.4f}", flush=True)
    elapsed, loss = time.time() - start, np.mean(losses[-50:])
    print(f"{len(losses)} steps in {elapsed:.0f} s, loss {loss:.4f}", flush=True)
    return {n: np.asarray(v, np.float32) for n, v in average.items()}


# ------------------------------------------------------------------ autoencoder, by hand


def tae_tensors():
    """The tensors of a TAESD with 16 latent channels, in the order of its layers, all zero."""
    width = 64  # fixed in the engine
    tensors = {}

    def conv(name, n_in, n_out, bias=True):
        tensors[name + ".weight"] = np.zeros((n_out, n_in, 3, 3), np.float32)
        if bias:
            tensors[name + ".bias"] = np.zeros(n_out, np.float32)

    def blocks(prefix, *numbers):
        for n in numbers:
            for i in (0, 2, 4):
                conv(f"{prefix}{n}.conv.{i}", width, width)

    d, e = "decoder.layers.", "encoder.layers."
    conv(d + "0", LATENT_CHANNELS, width)
    blocks(d, 2, 3, 4)
    conv(d + "6", width, width, bias=False)
    blocks(d, 7, 8, 9)
    conv(d + "11", width, width, bias=False)
    blocks(d, 12, 13, 14)
    conv(d + "16", width, width, bias=False)
    blocks(d, 17)
    conv(d + "18", width, 3)
    conv(e + "0", 3, width)
    blocks(e, 1)
    conv(e + "2", width, width, bias=False)
    blocks(e, 3, 4, 5)
    conv(e + "6", width, width, bias=False)
    blocks(e, 7, 8, 9)
    conv(e + "10", width, width, bias=False)
    blocks(e, 11, 12, 13)
    conv(e + "14", width, LATENT_CHANNELS)
    return tensors


def tae_weights():
    """Channels 0..2 carry RGB through both halves; the residual blocks add nothing, but for
    the decoder's last one, which sharpens."""
    W = tae_tensors()
    d, e = "decoder.layers.", "encoder.layers."
    blur = np.outer([1, 2, 1], [1, 2, 1]) / 16.0
    halve = np.zeros((3, 3))
    halve[1:, 1:] = 0.25  # the mean of a 2x2 cell
    slope = 2.5
    for c in range(3):
        # Decoder: the mean of the five copies, turned to 1..0. White is 0, so that the zero
        # padding at the edges of the picture is white.
        for j in range(5):
            W[d + "0.weight"][c, 3 * j + c, 1, 1] = -0.1
        W[d + "0.bias"][c] = 0.5
        for i in (6, 11, 16):  # after each doubling
            W[f"{d}{i}.weight"][c, c] = blur
        # clamp(slope (x - 1/2) + 1/2, 0, 1) as the difference of two ReLUs, into channels 3..5
        for s in (0, 1):
            h = 2 * c + s
            W[d + "17.conv.0.weight"][h, c, 1, 1] = slope
            W[d + "17.conv.0.bias"][h] = 0.5 - slope / 2 - s
            W[d + "17.conv.2.weight"][h, h, 1, 1] = 1
            W[d + "17.conv.4.weight"][3 + c, h, 1, 1] = 1 - 2 * s
        W[d + "18.weight"][c, 3 + c, 1, 1] = -1
        W[d + "18.bias"][c] = 1
        # Encoder: halve three times, then five copies in -1..1.
        W[e + "0.weight"][c, c, 1, 1] = 1
        for i in (2, 6, 10):
            W[f"{e}{i}.weight"][c, c] = halve
        for j in range(5):
            W[e + "14.weight"][3 * j + c, c, 1, 1] = 2
            W[e + "14.bias"][3 * j + c] = -1
    return W


# ------------------------------------------------------------------ files


def model_tensors(average, ids, tokens):
    """The trained parameters under the engine's names, with the embedding at full height."""
    embedding = np.zeros((VOCAB_ROWS, TEXT_DIM), np.float32)
    for row, token in enumerate(tokens):
        embedding[ids[token]] = average["embed"][row]
    tensors = {DIT_PREFIX + n: average[n] for n in sorted(zimage_tensors())}
    tensors[TEXT_PREFIX + "embed_tokens.weight"] = embedding
    tensors[TEXT_PREFIX + "norm.weight"] = average["text_norm"]
    return tensors


def write_gguf(path, tensors, matrix_type):
    """Writes matrices in matrix_type; vectors, and what the engine keeps in f32, in f32."""
    writer = gguf.GGUFWriter(path, "tiny")
    for name, a in tensors.items():
        if a.ndim == 1 or "t_embedder" in name or "final_layer.linear" in name:
            writer.add_tensor(name, a)
        else:
            writer.add_tensor(name, gguf.quants.quantize(a, matrix_type), raw_dtype=matrix_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    print(f"wrote {path}")


def positive(kind):
    def parse(text):
        value = kind(text)
        if not value > 0:
            raise argparse.ArgumentTypeError("must be more than 0")
        return value

    parse.__name__ = kind.__name__  # argparse names the type in its error
    return parse


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--vocab", required=True, help="the engine's qwen_merges.hpp")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=positive(float), default=40, help="default 40")
    length.add_argument("--steps", type=positive(int), help="train for so many steps instead")
    parser.add_argument("--batch", type=positive(int), default=32, help="default 32")
    parser.add_argument("--seed", type=int, default=0, help="0 or more, default 0")
    parser.add_argument("-o", "--out", required=True, metavar="PREFIX", help="of the two files")
    options = parser.parse_args()
    if options.seed < 0:
        parser.error("argument --seed: must be 0 or more")

    ids = qwen_ids(options.vocab)
    tokens = trained_tokens(ids)
    tae_path, model_path = f"{options.out}_tae.gguf", f"{options.out}_q8_0.gguf"
    try:  # the file that needs no training comes first: a bad prefix shows at once
        write_gguf(tae_path, tae_weights(), QType.F16)
    except OSError as e:
        sys.exit(f"error: cannot write {tae_path}: {e.strerror}")

    rng = np.random.default_rng(options.seed)
    data = batches(rng, options.batch, {t: i for i, t in enumerate(tokens)})
    average = train(data, len(tokens), options.seed, options.minutes, options.steps)
    write_gguf(model_path, model_tensors(average, ids, tokens), QType.Q8_0)


if __name__ == "__main__":
    main()
