package imagegen

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"
)

// Background draws a picture of any size from words.
func (p *Provider) Background(ctx context.Context, request Request) (*Picture, error) {
	return p.Generate(ctx, request)
}

// Erase takes out what is white in the mask, which should cover all of it: that part is filled from around
// it and drawn over a little, as the prompt says, which may be empty. Everything else keeps its exact
// pixels, but for the mask's soft edge. Width and Height of the request are not used: the result has the
// size of the picture.
func (p *Provider) Erase(ctx context.Context, photo, mask image.Image, request Request) (*Picture, error) {
	bounds := masked(mask)
	if bounds.Empty() {
		return nil, fmt.Errorf("%w: the mask has nothing white", ErrInvalidRequest)
	}
	request.init, request.mask = filled(photo, mask), mask
	request.strength = 0.4
	request.Width, request.Height = p.workingSize(bounds.Dx(), bounds.Dy())
	request.json = `{"inpaint":{"mask_blur":4,"keep_unmasked":true,"area":{"only_masked":{"padding":32}}}}`
	return p.Generate(ctx, request)
}

// Edit changes a picture as the prompt says. Models that edit (FLUX Kontext, Qwen Image Edit) get it as a
// reference; others draw it over, and strength says how much of it may change, above 0 and up to 1. A
// strength above 0 always draws it over; 0 leaves the choice to the model, with 0.75.
func (p *Provider) Edit(ctx context.Context, photo image.Image, strength float64, request Request) (*Picture, error) {
	size := photo.Bounds()
	request.Width, request.Height = p.workingSize(size.Dx(), size.Dy())
	if strength == 0 {
		edit := request
		edit.reference = photo
		// A model that takes no references is told before anything is drawn.
		if drawn, err := p.Generate(ctx, edit); !errors.Is(err, ErrUnsupported) {
			return drawn, err
		}
		strength = 0.75
	}
	request.init, request.strength = photo, strength
	return p.Generate(ctx, request)
}

// Sides are pixels to add on each side.
type Sides struct{ Left, Right, Top, Bottom uint }

// Expand continues a picture beyond its borders; the prompt says what the whole shows. Width and Height of
// the request are not used.
func (p *Provider) Expand(ctx context.Context, photo image.Image, sides Sides, request Request) (*Picture, error) {
	request.init, request.strength = photo, 0.8
	request.Width, request.Height = 0, 0
	request.json = fmt.Sprintf(`{"outpaint":{"left":%d,"right":%d,"top":%d,"bottom":%d,"feather":16}}`,
		sides.Left, sides.Right, sides.Top, sides.Bottom)
	return p.Generate(ctx, request)
}

// workingSize has the shape of a picture and about the area that the model draws well.
func (p *Provider) workingSize(width, height int) (int, int) {
	side := float64(p.settings.ImageSize)
	scale := side / math.Sqrt(float64(width)*float64(height))
	fit := func(length int) int {
		rounded := math.Round(float64(length)*scale/64) * 64
		return int(math.Min(math.Max(rounded, 64), 4*side))
	}
	return fit(width), fit(height)
}
