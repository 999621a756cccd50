#!/usr/bin/env python3
"""Stable Diffusion 1.5 or SDXL by PyTorch or OpenVINO, with random weights.

For `scripts/bench.sh pytorch openvino`, which installs what it needs, and for `--runtime` of
examples/backend_check. It says `ready`, its name, version and type, and then answers each line
of standard input, `step SIDE` or `decode SIDE` for a picture of so many pixels to a side, with
seconds, and `memory SIDE` with the bytes that it had at the most: of the card where it
computes on one, else of the process. On the processor it has as many threads as
OMP_NUM_THREADS says.
"""

import argparse
import os
import resource
import sys
import time
import warnings

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel

PIXELS = 8  # a place of the latent picture has so many to a side
TYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
# What the configurations of the published models say of their U-Nets.
LAYOUTS = {
    "sd15": {"cross_attention_dim": 768},
    "sdxl": {
        "block_out_channels": (320, 640, 1280),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "transformer_layers_per_block": (1, 2, 10),
        "attention_head_dim": (5, 10, 20),
        "cross_attention_dim": 2048,
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2816,
    },
}
POOLED = 1280  # values of the second text encoder's pooled states


class Noise(torch.nn.Module):
    """The U-Net, in one evaluation with and without the prompt, and what guidance makes of both."""

    def __init__(self, layout):
        super().__init__()
        self.unet = UNet2DConditionModel(**LAYOUTS[layout])

    def forward(self, latent, words, *added):
        time_step = torch.tensor(500, device=latent.device)
        added = dict(zip(("text_embeds", "time_ids"), added))
        pair = torch.cat([latent, latent])
        both = self.unet(pair, time_step, words, added_cond_kwargs=added, return_dict=False)[0]
        without, with_prompt = both.chunk(2)
        return without + 7.0 * (with_prompt - without)


class Pixels(torch.nn.Module):
    """The VAE's decoder, to values of 0 to 255."""

    def __init__(self):
        super().__init__()
        vae = AutoencoderKL(
            down_block_types=["DownEncoderBlock2D"] * 4,
            up_block_types=["UpDecoderBlock2D"] * 4,
            block_out_channels=[128, 256, 512, 512],
            layers_per_block=2,
        )
        self.decoder, self.convolution = vae.decoder, vae.post_quant_conv

    def forward(self, latent):
        pixels = self.decoder(self.convolution(latent / 0.18215))
        return ((pixels / 2 + 0.5).clamp(0, 1) * 255).to(torch.uint8)


def modules_of(layout):
    return {"step": Noise(layout).eval(), "decode": Pixels().eval()}


class PyTorch:
    name = f"PyTorch {torch.__version__.split('+')[0]}"

    def __init__(self, layout, kind, device):
        self.dtype, self.device = TYPES[kind], torch.device(device)
        # Made as they are used: a card may not have room for f32.
        torch.set_default_dtype(self.dtype)
        with self.device:
            modules = modules_of(layout)
        torch.set_default_dtype(torch.float32)
        # The layout that its convolutions like best.
        self.modules = {
            phase: module.to(memory_format=torch.channels_last)
            for phase, module in modules.items()
        }

    def prepare(self, phase, inputs):
        inputs = [value.to(self.device, self.dtype) for value in inputs]

        def run():
            self.modules[phase](*inputs)
            if self.device.type == "cuda":
                torch.cuda.synchronize()

        return run

    def memory(self):
        if self.device.type == "cuda":
            return torch.cuda.max_memory_reserved()
        return memory_of_process()


class OpenVino:
    def __init__(self, layout, kind, device):
        import openvino

        if device != "cpu":
            sys.exit(f"--device is {device}; allowed for openvino: cpu")
        self.openvino = openvino
        self.name = f"OpenVINO {openvino.__version__.split('-')[0]}"
        self.modules = modules_of(layout)
        self.compiled = {}
        self.options = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "INFERENCE_PRECISION_HINT": kind,
        }

    def prepare(self, phase, inputs):
        """It compiles for one size."""
        shapes = [list(value.shape) for value in inputs]
        if self.compiled.get(phase, (None,))[0] != shapes:
            self.compiled.pop(phase, None)
            with warnings.catch_warnings():
                # What depends on the size, which stays as it is.
                warnings.simplefilter("ignore")
                model = self.openvino.convert_model(self.modules[phase], example_input=(*inputs,))
            model.reshape(dict(enumerate(shapes)))
            compiled = self.openvino.Core().compile_model(model, "CPU", self.options)
            self.compiled[phase] = shapes, compiled
        compiled = self.compiled[phase][1]
        inputs = [value.numpy() for value in inputs]
        return lambda: compiled(inputs)

    def memory(self):
        return memory_of_process()


def memory_of_process():
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # macOS tells bytes, others kilobytes.
    return most if sys.platform == "darwin" else most * 1024


def inputs_of(phase, layout, side):
    places = side // PIXELS
    inputs = [torch.randn(1, 4, places, places)]
    if phase == "step":
        inputs.append(torch.randn(2, 77, LAYOUTS[layout]["cross_attention_dim"]))
        if layout == "sdxl":
            inputs += [torch.randn(2, POOLED), torch.tensor([[side, side, 0, 0, side, side]] * 2)]
    return inputs


def main():
    runtimes = {"pytorch": PyTorch, "openvino": OpenVino}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runtime", choices=runtimes)
    parser.add_argument("type", choices=TYPES)
    parser.add_argument("--layout", choices=LAYOUTS, default="sd15")
    parser.add_argument("--device", default="cpu", help="cpu, or PyTorch's name of another")
    chosen = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads())))
    torch.manual_seed(1)
    with torch.inference_mode():
        runtime = runtimes[chosen.runtime](chosen.layout, chosen.type, chosen.device)
        print(f"ready {runtime.name}, {chosen.type}", flush=True)
        for line in sys.stdin:
            phase, side = line.split()
            if phase == "memory":
                print(runtime.memory(), flush=True)
                continue
            run = runtime.prepare(phase, inputs_of(phase, chosen.layout, int(side)))
            begin = time.perf_counter()
            run()
            print(time.perf_counter() - begin, flush=True)


if __name__ == "__main__":
    main()
