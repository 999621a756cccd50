package imagegen

// #cgo pkg-config: sdcpp
// #include <sdcpp.h>
// #include <stdlib.h>
//
// int32_t imagegenProgress(uintptr_t handle, char *stage, uint32_t done, uint32_t total);
//
// static int32_t on_progress(void *user, const sdcpp_progress *progress) {
//     return imagegenProgress((uintptr_t)user, (char *)progress->stage_name, progress->done, progress->total);
// }
//
// // The user pointer is a number, which must not be in memory that Go takes for pointers.
// static void follow(sdcpp_watch *watch, uintptr_t handle) {
//     watch->user = (void *)handle;
//     watch->on_progress = on_progress;
// }
import "C"

import (
	"encoding/json"
	"image"
	"image/color"
	"image/draw"
	"runtime"
	"runtime/cgo"
	"unsafe"
)

// call makes a call, and gives its error. Errors are kept for each thread of the system, so the goroutine
// stays on one until the error is read.
func call(function func() C.int32_t) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if function() == C.SDCPP_OK {
		return nil
	}
	failed := C.sdcpp_last_error()
	return &Error{
		Code:    int(failed.code),
		Kind:    C.GoString(failed.kind),
		Stage:   C.GoString(failed.stage),
		Message: C.GoString(failed.message),
		Advice:  C.GoString(failed.advice),
	}
}

// arena is memory of C that is freed all at once.
type arena struct{ pieces []unsafe.Pointer }

func (a *arena) keep(piece unsafe.Pointer) unsafe.Pointer {
	a.pieces = append(a.pieces, piece)
	return piece
}

func (a *arena) free() {
	for _, piece := range a.pieces {
		C.free(piece)
	}
	a.pieces = nil
}

// text is nil for an empty string: not set.
func (a *arena) text(text string) *C.char {
	if text == "" {
		return nil
	}
	return (*C.char)(a.keep(unsafe.Pointer(C.CString(text))))
}

// pixels copies a picture in 1 channel (grey) or 3 (RGB).
func (a *arena) pixels(picture image.Image, channels int) *C.sdcpp_pixels {
	bounds := picture.Bounds()
	bytes := make([]byte, 0, bounds.Dx()*bounds.Dy()*channels)
	if channels == 1 {
		grey := image.NewGray(bounds)
		draw.Draw(grey, bounds, picture, bounds.Min, draw.Src)
		bytes = append(bytes, grey.Pix...)
	} else {
		for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
			for x := bounds.Min.X; x < bounds.Max.X; x++ {
				pixel := color.NRGBAModel.Convert(picture.At(x, y)).(color.NRGBA)
				bytes = append(bytes, pixel.R, pixel.G, pixel.B)
			}
		}
	}
	pixels := (*C.sdcpp_pixels)(a.keep(C.calloc(1, C.sizeof_sdcpp_pixels)))
	pixels.data = (*C.uint8_t)(a.keep(C.CBytes(bytes)))
	pixels.length = C.size_t(len(bytes))
	pixels.width = C.uint32_t(bounds.Dx())
	pixels.height = C.uint32_t(bounds.Dy())
	pixels.channels = C.uint32_t(channels)
	return pixels
}

// watch follows nothing yet. It is in C's memory for its user pointer, which is a number.
func (a *arena) watch() *C.sdcpp_watch {
	watch := (*C.sdcpp_watch)(a.keep(C.calloc(1, C.sizeof_sdcpp_watch)))
	C.sdcpp_watch_init(watch, C.sizeof_sdcpp_watch)
	return watch
}

// Picture is one that was drawn.
type Picture struct {
	*image.NRGBA
	// Seed it was drawn with, also where it was chosen at random.
	Seed int64
	// PNG file of it, with the text of how it was made.
	PNG []byte
}

func picture(result *C.sdcpp_result) (*Picture, error) {
	var made C.sdcpp_image
	made.size = C.sizeof_sdcpp_image
	if err := call(func() C.int32_t { return C.sdcpp_result_image(result, 0, &made) }); err != nil {
		return nil, err
	}
	var png *C.uint8_t
	var length C.size_t
	err := call(func() C.int32_t { return C.sdcpp_result_png(result, 0, nil, &png, &length) })
	if err != nil {
		return nil, err
	}
	defer C.sdcpp_free(unsafe.Pointer(png))

	drawn := image.NewNRGBA(image.Rect(0, 0, int(made.width), int(made.height)))
	channels := int(made.channels)
	from := unsafe.Slice((*byte)(made.data), int(made.length))
	for i := 0; i < len(drawn.Pix)/4; i++ {
		to := drawn.Pix[i*4 : i*4+4]
		to[3] = 255
		copy(to, from[i*channels:(i+1)*channels])
	}
	bytes := append([]byte(nil), unsafe.Slice((*byte)(png), int(length))...)
	return &Picture{NRGBA: drawn, Seed: int64(made.seed), PNG: bytes}, nil
}

// told reads JSON that a function gives out.
func told(into any, function func(out **C.char) C.int32_t) error {
	var text *C.char
	if err := call(func() C.int32_t { return function(&text) }); err != nil {
		return err
	}
	defer C.sdcpp_free(unsafe.Pointer(text))
	return json.Unmarshal([]byte(C.GoString(text)), into)
}

// follow makes the watch tell of progress. The handle is to be deleted when the operation has ended.
func follow(watch *C.sdcpp_watch, progress func(stage string, done, total int)) cgo.Handle {
	handle := cgo.NewHandle(progress)
	C.follow(watch, C.uintptr_t(handle))
	return handle
}
