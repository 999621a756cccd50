//! Command lines as upstream's users write them: all must parse here as they are.

use crate::{
    cli::{Cli, Command},
    upstream::{tests::words, with_subcommand},
};
use clap::Parser;

/// The command, and a line of upstream's documentation or of its users, with made-up paths.
const LINES: &[(&str, &str)] = &[
    ("txt2img", "sd-cli -m sd-v1-4.ckpt -p \"a lovely cat\""),
    (
        "txt2img",
        "sd-cli -m v1-5.safetensors -p \"a lovely cat<lora:marblesh:1>\" --lora-model-dir loras",
    ),
    (
        "txt2img",
        "sd-cli -m sd3_medium.safetensors -H 1024 -W 1024 -p \"a lovely cat holding a sign\" --cfg-scale 4.5 --sampling-method euler -v --clip-on-cpu",
    ),
    (
        "txt2img",
        "sd-cli --diffusion-model flux1-dev-q8_0.gguf --vae ae.sft --clip_l clip_l.safetensors --t5xxl t5xxl_fp16.safetensors -p \"a lovely cat\" --cfg-scale 1.0 --sampling-method euler -v --clip-on-cpu",
    ),
    (
        "txt2img",
        "sd-cli -m sd3.5_large.safetensors --clip_l clip_l.safetensors --clip_g clip_g.safetensors --t5xxl t5xxl.safetensors -H 1024 -W 1024 -p x --cfg-scale 4.5 --sampling-method euler -v --clip-on-cpu",
    ),
    (
        "txt2img",
        "sd-cli --diffusion-model chroma-q8_0.gguf --vae ae.sft --t5xxl t5xxl.safetensors -p x --cfg-scale 4.0 --sampling-method euler -v --chroma-disable-dit-mask --clip-on-cpu",
    ),
    (
        "txt2img",
        "sd-cli --diffusion-model qwen-image-Q8_0.gguf --vae qwen_image_vae.safetensors --qwen2vl Qwen2.5-VL-7B.gguf -p x --cfg-scale 2.5 --sampling-method euler -v --offload-to-cpu -H 1024 -W 1024 --diffusion-fa --flow-shift 3",
    ),
    (
        "txt2img",
        "sd-cli --diffusion-model z_image_turbo-Q3_K.gguf --vae ae.sft --llm Qwen3-4B.gguf -p x --cfg-scale 1.0 -v --offload-to-cpu --diffusion-fa -H 1024 -W 512",
    ),
    (
        "txt2img",
        "sd-cli --diffusion-model flux-2-klein-4b.gguf --vae flux2_ae.safetensors --llm qwen_3_4b.safetensors -p \"a lovely cat\" --cfg-scale 1.0 --steps 4 -v --offload-to-cpu --diffusion-fa",
    ),
    (
        "edit",
        "sd-cli --diffusion-model flux1-kontext-dev.gguf -r flux1.png --vae ae.sft --clip_l clip_l.safetensors --t5xxl t5xxl.safetensors -p \"change 'flux.cpp' to 'kontext.cpp'\" --cfg-scale 1.0 --sampling-method euler -v --clip-on-cpu",
    ),
    (
        "edit",
        "sd-cli --diffusion-model qwen-image-edit-2511.gguf --vae v.safetensors --llm q.gguf --llm_vision mmproj.gguf --cfg-scale 2.5 --sampling-method euler --offload-to-cpu --diffusion-fa --flow-shift 3 -r a.png -r b.png -p x --qwen-image-zero-cond-t --increase-ref-index",
    ),
    (
        "img2img",
        "sd-cli --mode img_gen -m sd-v1-4.ckpt -p \"cat with blue eyes\" -i output.png -o img2img.png --strength 0.4",
    ),
    (
        "inpaint",
        "sd-cli -m sd_xl.safetensors -i in.png --mask mask.png -p \"a cat\" -W 1024 -H 1024 --strength 0.8 --rng cpu --sampler-rng cpu",
    ),
    (
        "txt2img",
        "sd-cli -m sd15.safetensors -p x --control-net cn_canny.safetensors --control-image in.png --canny --control-strength 0.7 --control-net-cpu",
    ),
    (
        "txt2img",
        "sd-cli -m sdxl.safetensors --vae sdxl.vae.safetensors --photo-maker pm-v2.safetensors --pm-id-images-dir people --pm-id-embed-path people/id_embeds.bin --pm-style-strength 10 -p \"a man img\" --cfg-scale 5.0 --sampling-method euler -H 1024 -W 1024 --vae-on-cpu --steps 50",
    ),
    (
        "txt2img",
        "sd-cli -m sd3.5_medium.safetensors -p x --slg-scale 2.5 --skip-layers [7,8,9] --skip-layer-start 0.01 --skip-layer-end 0.2 --scheduler karras --eta 0.5 --timestep-shift 250",
    ),
    (
        "txt2img",
        "sd-cli -m sdxl.safetensors -p x --cache-mode ucache --cache-option \"threshold=1.5,reset=0\" --sigmas \"14.61,7.8,3.5,0.0\"",
    ),
    (
        "txt2img",
        "sd-cli --diffusion-model q.gguf -p x --cache-mode cache-dit --cache-option Fn=8,Bn=0,threshold=0.08,warmup=8 --scm-mask 1,1,1,0,0,1 --scm-policy dynamic",
    ),
    (
        "txt2img",
        "sd-cli -m a.gguf -p x --vae-tiling --vae-tile-size 32x32 --vae-relative-tile-size 2x2 --vae-tile-overlap 0.5 --taesd taesd.safetensors --preview tae --preview-path p.png --preview-interval 2 --taesd-preview-only --preview-noisy",
    ),
    (
        "txt2img",
        "sd-cli -m a.gguf -p x -o output_%03d.png --output-begin-idx 5 -b 4 -s -1 --clip-skip -1 -t -1 --color --disable-image-metadata",
    ),
    (
        "txt2img",
        "sd-cli -m a.gguf -p x --hires --hires-upscaler 4x-UltraSharp --hires-upscalers-dir up --hires-width 1920 --hires-height 1088 --hires-steps 4 --hires-denoising-strength 0.3 --hires-upscale-tile-size 128",
    ),
    (
        "txt2img",
        "sd-cli -m a.gguf -p x --backend te=cpu,diffusion=cuda0 --params-backend disk --max-vram -0.5 --stream-layers --mmap --fa --type q8_0 --tensor-type-rules ^vae\\.=f16 --prediction v --lora-apply-mode at_runtime",
    ),
    (
        "txt2img",
        "sd-cli -m a.gguf -p x --embd-dir emb --upscale-model RealESRGAN_x4plus.pth --upscale-repeats 2 --upscale-tile-size 64 --circular --circularx --circulary --force-sdxl-vae-conv-scale --steps 8 --steps 9",
    ),
    (
        "video",
        "sd-cli -M vid_gen --diffusion-model wan2.1_t2v_1.3B.safetensors --vae wan_2.1_vae.safetensors --t5xxl umt5-xxl.gguf -p \"a lovely cat\" --cfg-scale 6.0 --sampling-method euler -v -n \"bright colours\" -W 832 -H 480 --diffusion-fa --video-frames 33 --flow-shift 3.0",
    ),
    (
        "video",
        "sd-cli -M vid_gen --diffusion-model wan2.2-low.gguf --high-noise-diffusion-model wan2.2-high.gguf --vae v.safetensors --t5xxl t.gguf -p x --cfg-scale 3.5 --sampling-method euler --steps 10 --high-noise-cfg-scale 3.5 --high-noise-sampling-method euler --high-noise-steps 8 -W 832 -H 480 --diffusion-fa --offload-to-cpu --video-frames 33 -i cat.png --clip_vision clip_vision_h.safetensors --moe-boundary 0.9",
    ),
    (
        "video",
        "sd-cli -M vid_gen --diffusion-model vace.gguf --vae v.safetensors --t5xxl t.gguf -p x -i a.png --end-img b.png --control-video frames --vace-strength 0.8 --fps 24 --high-noise-steps -1 -o clip.webp",
    ),
    (
        "video",
        "sd-cli -M vid_gen --diffusion-model ltx.gguf --vae v.gguf --audio-vae a.gguf --llm g.gguf --embeddings-connectors c.gguf --temporal-tiling --extra-tiling-args temporal_tile_frames=16 --width 640 --height 352 --seed 3 -p x --output o.avi",
    ),
    (
        "upscale",
        "sd-cli -M upscale --upscale-model RealESRGAN_x4plus.pth -i in.png -o out.png --upscale-repeats 2",
    ),
    (
        "convert",
        "sd-cli -M convert -m v1-5-pruned-emaonly.safetensors -o v1-5.q8_0.gguf -v --type q8_0",
    ),
    (
        "convert",
        "sd-cli -M convert -m a.safetensors --vae v.safetensors -o b.gguf --type q4_K --tensor-type-rules first_stage=f16 --convert-name",
    ),
];

fn name(command: &Command) -> &'static str {
    match command {
        Command::Txt2img(_) => "txt2img",
        Command::Img2img(_) => "img2img",
        Command::Inpaint(_) => "inpaint",
        Command::Edit(_) => "edit",
        Command::Upscale(_) => "upscale",
        Command::Video(_) => "video",
        Command::Convert(_) => "convert",
        _ => "another",
    }
}

#[test]
fn upstreams_command_lines_parse() {
    for (command, line) in LINES {
        match Cli::try_parse_from(with_subcommand(words(line))) {
            Ok(cli) => assert_eq!(name(&cli.command), *command, "{line}"),
            Err(error) => panic!("{line}\n{error}"),
        }
    }
}
