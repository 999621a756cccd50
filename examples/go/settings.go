package imagegen

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Settings say which model is used and how. The zero value of a field is its default.
type Settings struct {
	// ModelPath is the model: .gguf (read fastest), .safetensors or .ckpt. SD_MODEL_PATH.
	ModelPath string
	// VAEPath is a VAE or a small decoder (TAESD); the model's own if empty. SD_VAE_PATH.
	VAEPath string
	// ImageSize is the width and height of pictures, in pixels. SD_IMAGE_SIZE, 512.
	ImageSize int
	// Steps of sampling. SD_INFERENCE_STEPS, 20.
	Steps int
	// Guidance is how strongly the prompt rules. SD_GUIDANCE_SCALE, 7.5.
	Guidance *float64
	// NegativePrompt is what to avoid. SD_NEGATIVE_PROMPT.
	NegativePrompt string
	// Timeout of one generation. SD_TIMEOUT_SECONDS, 120 seconds; negative: none.
	Timeout time.Duration
	// AcquireTimeout is how long a generation waits for its turn before; Timeout if 0.
	AcquireTimeout time.Duration
	// MaxConcurrent is how many generations run at once. SD_MAX_CONCURRENT; 2, or 1 where memory is
	// short by estimate.
	MaxConcurrent int
	// VAETiling decodes in tiles, for less memory. SD_VAE_TILING.
	VAETiling bool
	// FreeParams drops weights after use and reads them again. SD_FREE_PARAMS.
	FreeParams bool
	// AllowPickle takes .ckpt files, which can crash the process if hostile. Has no variable.
	AllowPickle bool
	// Threads of each generation; the physical cores, shared, if 0. Has no variable.
	Threads int
}

// SettingsFrom reads the SD_ variables; lookup is os.Getenv as a rule. A value that cannot be used is an
// error that names variable, value and what is allowed.
func SettingsFrom(lookup func(string) string) (Settings, error) {
	v := variables{lookup: lookup}
	settings := Settings{
		ModelPath:      v.text("SD_MODEL_PATH"),
		VAEPath:        v.text("SD_VAE_PATH"),
		ImageSize:      v.whole("SD_IMAGE_SIZE", 1, 16384),
		Steps:          v.whole("SD_INFERENCE_STEPS", 1, 1000),
		Guidance:       v.number("SD_GUIDANCE_SCALE", -100, 100),
		NegativePrompt: v.text("SD_NEGATIVE_PROMPT"),
		MaxConcurrent:  v.whole("SD_MAX_CONCURRENT", 1, 1024),
		VAETiling:      v.flag("SD_VAE_TILING"),
		FreeParams:     v.flag("SD_FREE_PARAMS"),
	}
	if v.text("SD_TIMEOUT_SECONDS") != "" {
		settings.Timeout = time.Duration(v.whole("SD_TIMEOUT_SECONDS", 0, 86400)) * time.Second
		if settings.Timeout == 0 {
			settings.Timeout = -1
		}
	}
	return settings, v.err
}

func (s Settings) withDefaults() Settings {
	if s.ImageSize == 0 {
		s.ImageSize = 512
	}
	if s.Steps == 0 {
		s.Steps = 20
	}
	if s.Guidance == nil {
		guidance := 7.5
		s.Guidance = &guidance
	}
	if s.Timeout == 0 {
		s.Timeout = 120 * time.Second
	}
	if s.AcquireTimeout == 0 {
		s.AcquireTimeout = s.Timeout
	}
	return s
}

// variables reads values, and keeps the first error.
type variables struct {
	lookup func(string) string
	err    error
}

func (v *variables) text(name string) string { return strings.TrimSpace(v.lookup(name)) }

func (v *variables) refuse(name, value, allowed string) {
	if v.err == nil {
		v.err = fmt.Errorf("%s is %s, and must be %s", name, value, allowed)
	}
}

func (v *variables) whole(name string, least, most int) int {
	text := v.text(name)
	if text == "" {
		return 0
	}
	value, err := strconv.Atoi(text)
	if err != nil || value < least || value > most {
		v.refuse(name, text, fmt.Sprintf("a whole number from %d to %d", least, most))
	}
	return value
}

func (v *variables) number(name string, least, most float64) *float64 {
	text := v.text(name)
	if text == "" {
		return nil
	}
	value, err := strconv.ParseFloat(text, 32)
	// Not a number fails both comparisons.
	if err != nil || !(value >= least && value <= most) {
		v.refuse(name, text, fmt.Sprintf("a number from %g to %g", least, most))
	}
	return &value
}

func (v *variables) flag(name string) bool {
	switch text := v.text(name); strings.ToLower(text) {
	case "1", "true", "yes", "on":
		return true
	case "", "0", "false", "no", "off":
		return false
	default:
		v.refuse(name, text, "true or false")
		return false
	}
}

// Sampler is the method of sampling.
type Sampler string

// The samplers that the application offers.
const (
	EulerA    Sampler = "euler_a"
	Euler     Sampler = "euler"
	Heun      Sampler = "heun"
	DPM2      Sampler = "dpm2"
	DPMPP2SA  Sampler = "dpm++2s_a"
	DPMPP2M   Sampler = "dpm++2m" // the default
	DPMPP2Mv2 Sampler = "dpm++2mv2"
	LCM       Sampler = "lcm"
)
