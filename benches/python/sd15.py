#!/usr/bin/env python3
"""Stable Diffusion 1.5 by PyTorch or OpenVINO on the processor, with random weights.

  sd15.py pytorch|openvino f32|bf16

For `scripts/bench.sh pytorch openvino`, which installs what it needs. It says `ready`, its
name and its version, and then answers each line of standard input, `step SIDE` or `decode
SIDE` for a picture of so many pixels to a side, with seconds. As many threads as
OMP_NUM_THREADS says.
"""

import os
import sys
import time
import warnings

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel

PIXELS = 8  # a place of the latent picture has so many to a side
TYPES = {"f32": torch.float32, "bf16": torch.bfloat16}


class Noise(torch.nn.Module):
    """The U-Net, in one evaluation with and without the prompt, and what guidance makes of both."""

    def __init__(self):
        super().__init__()
        self.unet = UNet2DConditionModel(cross_attention_dim=768)

    def forward(self, latent, words):
        time_step = torch.tensor(500)
        both = self.unet(torch.cat([latent, latent]), time_step, words, return_dict=False)[0]
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


class PyTorch:
    name = f"PyTorch {torch.__version__.split('+')[0]}"

    def __init__(self, modules, kind):
        self.dtype = TYPES[kind]
        # The layout that its convolutions like best.
        self.modules = {
            phase: module.to(self.dtype, memory_format=torch.channels_last)
            for phase, module in modules.items()
        }

    def prepare(self, phase, inputs):
        inputs = [value.to(self.dtype) for value in inputs]
        return lambda: self.modules[phase](*inputs)


class OpenVino:
    def __init__(self, modules, kind):
        import openvino

        self.openvino = openvino
        self.name = f"OpenVINO {openvino.__version__.split('-')[0]}"
        self.modules = modules
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


def main():
    runtimes = {"pytorch": PyTorch, "openvino": OpenVino}
    if len(sys.argv) != 3 or sys.argv[1] not in runtimes or sys.argv[2] not in TYPES:
        sys.exit(__doc__)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads())))
    torch.manual_seed(1)
    with torch.inference_mode():
        modules = {"step": Noise().eval(), "decode": Pixels().eval()}
        runtime = runtimes[sys.argv[1]](modules, sys.argv[2])
        print("ready", runtime.name, flush=True)
        for line in sys.stdin:
            phase, side = line.split()
            places = int(side) // PIXELS
            inputs = [torch.randn(1, 4, places, places)]
            if phase == "step":
                inputs.append(torch.randn(2, 77, 768))
            run = runtime.prepare(phase, inputs)
            begin = time.perf_counter()
            run()
            print(time.perf_counter() - begin, flush=True)


if __name__ == "__main__":
    main()
