// Command imagegen draws with the local model that the SD_ variables name.
//
//	scripts/install.sh --prefix ~/.local
//	export PKG_CONFIG_PATH=~/.local/lib/pkgconfig LD_LIBRARY_PATH=~/.local/lib
//	cd examples/go && go build ./cmd/imagegen
//	export SD_MODEL_PATH=../models/demo_q8_0.gguf SD_VAE_PATH=../models/demo_tae.gguf
//	export SD_IMAGE_SIZE=128 SD_INFERENCE_STEPS=12 SD_GUIDANCE_SCALE=3
//	./imagegen -sampler euler -output circle.png background "a red circle"
//	./imagegen -sampler euler -picture circle.png -output wide.png -right 64 expand "a red circle"
//
// Its exit status is 3 if no local model can serve: then another source of pictures may.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"image"
	_ "image/jpeg"
	_ "image/png"
	"os"
	"os/signal"

	"imagegen"
)

const (
	exitUsage       = 2
	exitUnavailable = 3
	exitInterrupted = 130
)

type options struct {
	output, picture, mask    string
	seed                     int64
	strength                 float64
	left, right, top, bottom uint
	request                  imagegen.Request
}

func main() {
	var o options
	flag.StringVar(&o.output, "output", "out.png", "the PNG file to write")
	flag.StringVar(&o.picture, "picture", "", "the picture to erase from, edit or expand")
	flag.StringVar(&o.mask, "mask", "", "what to erase: white in this picture")
	flag.Int64Var(&o.seed, "seed", -1, "at random if negative")
	flag.Float64Var(&o.strength, "strength", 0, "how much edit may change, up to 1")
	flag.UintVar(&o.left, "left", 0, "pixels to add at the left")
	flag.UintVar(&o.right, "right", 0, "pixels to add at the right")
	flag.UintVar(&o.top, "top", 0, "pixels to add at the top")
	flag.UintVar(&o.bottom, "bottom", 0, "pixels to add at the bottom")
	flag.StringVar((*string)(&o.request.Sampler), "sampler", string(imagegen.DPMPP2M), "as in euler_a")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: imagegen [options] background|erase|edit|expand PROMPT")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 2 {
		flag.Usage()
		os.Exit(exitUsage)
	}
	// Ctrl-C cancels the context, and that stops the drawing.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o, flag.Arg(0), flag.Arg(1)); err != nil {
		os.Exit(tell(err))
	}
}

func run(ctx context.Context, o options, tool, prompt string) (err error) {
	provider, err := imagegen.OpenFromEnv()
	if err != nil {
		return err
	}
	defer func() {
		if closed := provider.Close(); err == nil {
			err = closed
		}
	}()
	o.request.Prompt = prompt
	if o.seed >= 0 {
		o.request.Seed = &o.seed
	}
	o.request.Progress = func(stage string, done, total int) {
		fmt.Fprintf(os.Stderr, "\r%-10s %d/%d   ", stage, done, total)
	}
	picture, err := draw(ctx, provider, o, tool)
	fmt.Fprintln(os.Stderr)
	if err != nil {
		return err
	}
	if err := os.WriteFile(o.output, picture.PNG, 0o644); err != nil {
		return err
	}
	size := picture.Bounds()
	fmt.Printf("%s: %dx%d, seed %d\n", o.output, size.Dx(), size.Dy(), picture.Seed)
	return nil
}

func draw(ctx context.Context, p *imagegen.Provider, o options, tool string) (*imagegen.Picture, error) {
	if tool == "background" {
		return p.Background(ctx, o.request)
	}
	picture, err := read("picture", o.picture)
	if err != nil {
		return nil, err
	}
	switch tool {
	case "erase":
		mask, err := read("mask", o.mask)
		if err != nil {
			return nil, err
		}
		return p.Erase(ctx, picture, mask, o.request)
	case "edit":
		return p.Edit(ctx, picture, o.strength, o.request)
	case "expand":
		sides := imagegen.Sides{Left: o.left, Right: o.right, Top: o.top, Bottom: o.bottom}
		return p.Expand(ctx, picture, sides, o.request)
	default:
		return nil, fmt.Errorf("there is no tool %s: background, erase, edit or expand", tool)
	}
}

func read(name, path string) (image.Image, error) {
	if path == "" {
		return nil, fmt.Errorf("this tool needs -%s", name)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	picture, _, err := image.Decode(file)
	if err != nil {
		return nil, fmt.Errorf("%s is no PNG or JPEG file: %w", path, err)
	}
	return picture, nil
}

// tell says what failed, and gives the exit status.
func tell(err error) int {
	fmt.Fprintln(os.Stderr, "imagegen:", err)
	var failed *imagegen.Error
	if errors.As(err, &failed) && failed.Advice != "" {
		fmt.Fprintln(os.Stderr, "  try:", failed.Advice)
	}
	var unavailable *imagegen.Unavailable
	switch {
	case errors.As(err, &unavailable):
		return exitUnavailable
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	default:
		return 1
	}
}
