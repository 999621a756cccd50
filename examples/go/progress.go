package imagegen

// #include <stdint.h>
import "C"

import "runtime/cgo"

// imagegenProgress is called on a thread of the library.
//
//export imagegenProgress
func imagegenProgress(handle C.uintptr_t, stage *C.char, done, total C.uint32_t) C.int32_t {
	progress := cgo.Handle(handle).Value().(func(string, int, int))
	progress(C.GoString(stage), int(done), int(total))
	return 0
}
