"""Draws a picture. Needs Python 3.9 and nothing else.

    scripts/install.sh --prefix ~/.local
    export LD_LIBRARY_PATH=~/.local/lib
    cd examples/models
    python3 ../python/draw.py --model demo_q8_0.gguf --taesd demo_tae.gguf --size 128 --steps 12 \\
        --cfg-scale 3 --sampler euler --output circle.png "a red circle"

With `--worker ~/.local/libexec/sdcpp-worker` the engine runs in a process of its own, and a crash of it is
an error here.
"""

import argparse
import hashlib
import sys

import sdcpp


def show_progress(stage, done, total):
    print(f"\r{stage:<10} {done}/{total}   ", end="", file=sys.stderr, flush=True)


def options():
    parser = argparse.ArgumentParser(description="Draw a picture.")
    parser.add_argument("prompt", help="what to draw")
    parser.add_argument("--model", required=True, help=".gguf or .safetensors file")
    parser.add_argument("--vae", help="a VAE in place of the model's own")
    parser.add_argument("--taesd", help="a small decoder in place of the VAE")
    parser.add_argument("--negative-prompt", help="what to avoid")
    parser.add_argument("--sampler", help="as in euler_a")
    parser.add_argument("--size", type=int, default=512, help="width and height in pixels")
    parser.add_argument("--steps", type=int, default=20, help="sampling steps")
    parser.add_argument("--cfg-scale", type=float, default=7.5, help="how strongly the prompt rules")
    parser.add_argument("--seed", type=int, default=-1, help="at random if not set")
    parser.add_argument("--worker", help="the program sdcpp-worker: draw in a process of its own")
    parser.add_argument("--threads", type=int, default=0, help="the physical cores if not set")
    parser.add_argument("--time-limit", type=float, help="in seconds")
    parser.add_argument("--output", default="out.png", help="the PNG file to write")
    return parser.parse_args()


def opened(given):
    config = dict(model=given.model, vae=given.vae, taesd=given.taesd, threads=given.threads)
    if given.worker is None:
        return sdcpp.Context(**config)
    return sdcpp.WorkerPool(given.worker, models=1, **config)


def main():
    given = options()
    try:
        with opened(given) as model:
            picture, *_ = model.generate(
                given.prompt,
                on_progress=show_progress,
                time_limit=given.time_limit,
                negative_prompt=given.negative_prompt,
                sampler=given.sampler,
                width=given.size,
                height=given.size,
                steps=given.steps,
                cfg_scale=given.cfg_scale,
                seed=given.seed,
            )
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130
    except sdcpp.Error as error:
        print(f"\n{error} ({error.kind})", file=sys.stderr)
        if error.advice:
            print(f"  try: {error.advice}", file=sys.stderr)
        return 1
    picture.save(given.output)
    print(file=sys.stderr)
    digest = hashlib.sha256(picture.pixels).hexdigest()
    print(f"{given.output}: {picture.width}x{picture.height}, seed {picture.seed}, sha256 {digest}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
