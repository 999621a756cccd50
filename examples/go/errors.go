package imagegen

// #include <sdcpp.h>
import "C"

import (
	"context"
	"errors"
)

// What an error can be asked for by errors.Is, besides context.Canceled and context.DeadlineExceeded.
var (
	ErrModelLoad         = errors.New("the model does not load")
	ErrGenerationFailed  = errors.New("the generation failed")
	ErrOutOfMemory       = errors.New("out of memory of the processor or the graphics card")
	ErrGenerationTimeout = errors.New("the generation took too long")
	ErrAcquireTimeout    = errors.New("no model became free in time")
	ErrInvalidRequest    = errors.New("the request is not valid")
	ErrUnsupported       = errors.New("the model cannot do this")
	ErrClosed            = errors.New("the provider is closed")
)

// Error is what a function of the library failed with.
type Error struct {
	Code   int    // one of the SDCPP_ codes of the header
	Kind   string // its name, as in "out_of_memory"
	Stage  string // what was being done; may be empty
	Advice string // what the user can try; may be empty
	// Message says what failed, and on what.
	Message string
}

func (e *Error) Error() string { return e.Message }

// Is says which of the errors above this is.
func (e *Error) Is(target error) bool { return target == e.class() }

func (e *Error) class() error {
	switch e.Code {
	case C.SDCPP_FILE_NOT_FOUND, C.SDCPP_FILE_UNREADABLE, C.SDCPP_NOT_A_MODEL, C.SDCPP_MISSING_PARTS,
		C.SDCPP_DOES_NOT_FIT, C.SDCPP_MODEL_LOAD, C.SDCPP_CIRCUIT_OPEN, C.SDCPP_WORKER_START,
		C.SDCPP_LIBRARY, C.SDCPP_LIBRARY_NOT_FOUND, C.SDCPP_BACKEND_UNAVAILABLE, C.SDCPP_ENGINE_TABLE:
		return ErrModelLoad
	case C.SDCPP_OUT_OF_MEMORY, C.SDCPP_INSUFFICIENT_MEMORY:
		return ErrOutOfMemory
	case C.SDCPP_DEADLINE_EXCEEDED:
		return ErrGenerationTimeout
	case C.SDCPP_ACQUIRE_TIMEOUT, C.SDCPP_QUEUE_FULL:
		return ErrAcquireTimeout
	case C.SDCPP_CANCELLED:
		return context.Canceled
	case C.SDCPP_INVALID_PARAMETER, C.SDCPP_INVALID_JSON, C.SDCPP_INVALID_UTF8:
		return ErrInvalidRequest
	case C.SDCPP_UNSUPPORTED:
		return ErrUnsupported
	case C.SDCPP_SHUT_DOWN:
		return ErrClosed
	default:
		return ErrGenerationFailed
	}
}

// Reason says why the local model cannot serve.
type Reason string

// The reasons.
const (
	NoModel     Reason = "no local model is named: SD_MODEL_PATH is not set"
	BadSettings Reason = "a setting of the local model cannot be used"
	NotFound    Reason = "a file of the local model does not exist"
	DoesNotLoad Reason = "the local model does not load"
	NoMemory    Reason = "the local model has too little memory"
)

// Unavailable is the one error of Open: the local model cannot serve, and the application takes another
// source of pictures. Find it by errors.As.
type Unavailable struct {
	Reason Reason
	Err    error // what the library said; nil for NoModel
}

func (u *Unavailable) Error() string {
	if u.Err == nil {
		return string(u.Reason)
	}
	return string(u.Reason) + ": " + u.Err.Error()
}

func (u *Unavailable) Unwrap() error { return u.Err }

func unavailable(err error) *Unavailable {
	var failed *Error
	switch {
	case errors.As(err, &failed) && failed.Code == C.SDCPP_FILE_NOT_FOUND:
		return &Unavailable{NotFound, err}
	case errors.Is(err, ErrInvalidRequest):
		return &Unavailable{BadSettings, err}
	case errors.Is(err, ErrOutOfMemory):
		return &Unavailable{NoMemory, err}
	default:
		return &Unavailable{DoesNotLoad, err}
	}
}
