package imagegen

import (
	"image"
	"image/color"
)

// white says whether a pixel of a mask is to be repainted.
func white(mask image.Image, x, y int) bool {
	bounds := mask.Bounds()
	return color.GrayModel.Convert(mask.At(bounds.Min.X+x, bounds.Min.Y+y)).(color.Gray).Y > 127
}

// masked is the rectangle around what is white.
func masked(mask image.Image) image.Rectangle {
	var around image.Rectangle
	for y := 0; y < mask.Bounds().Dy(); y++ {
		for x := 0; x < mask.Bounds().Dx(); x++ {
			if white(mask, x, y) {
				around = around.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	return around
}

// level is a picture of which some pixels are known: red, green, blue and how much of it is known.
type level struct {
	width, height int
	pixels        [][4]float32
}

// filled is the picture with the masked part filled from around it, so that the model does not see what is
// to be erased. A mask of another size is left to the library, which names both.
func filled(photo, mask image.Image) image.Image {
	bounds := photo.Bounds()
	if bounds.Size() != mask.Bounds().Size() {
		return photo
	}
	known := level{bounds.Dx(), bounds.Dy(), make([][4]float32, bounds.Dx()*bounds.Dy())}
	for i := range known.pixels {
		x, y := i%known.width, i/known.width
		if !white(mask, x, y) {
			pixel := color.NRGBAModel.Convert(photo.At(bounds.Min.X+x, bounds.Min.Y+y)).(color.NRGBA)
			known.pixels[i] = [4]float32{float32(pixel.R), float32(pixel.G), float32(pixel.B), 1}
		}
	}
	known.fill()
	result := image.NewNRGBA(image.Rect(0, 0, known.width, known.height))
	for i, pixel := range known.pixels {
		result.SetNRGBA(i%known.width, i/known.width,
			color.NRGBA{uint8(pixel[0] + 0.5), uint8(pixel[1] + 0.5), uint8(pixel[2] + 0.5), 255})
	}
	return result
}

// fill gives unknown pixels the colours of the picture at half the size, filled likewise.
func (l *level) fill() {
	if l.width == 1 && l.height == 1 {
		return
	}
	half := level{width: (l.width + 1) / 2, height: (l.height + 1) / 2}
	half.pixels = make([][4]float32, half.width*half.height)
	for i, pixel := range l.pixels {
		if pixel[3] > 0 {
			sum := &half.pixels[(i/l.width/2)*half.width+(i%l.width)/2]
			for c := range sum {
				sum[c] += pixel[c]
			}
		}
	}
	for i := range half.pixels {
		if pixel := &half.pixels[i]; pixel[3] > 0 {
			count := pixel[3]
			for c := range pixel {
				pixel[c] /= count
			}
		}
	}
	half.fill()
	for i := range l.pixels {
		if l.pixels[i][3] == 0 {
			l.pixels[i] = half.pixels[(i/l.width/2)*half.width+(i%l.width)/2]
		}
	}
}
