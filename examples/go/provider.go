// Package imagegen draws pictures with a local model, for an application that has other sources too: Open
// says in one typed error why the local model cannot serve.
//
// The library is found by pkg-config; `scripts/install.sh` installs both. Each model is in a worker
// process of its own: a crash of the engine is the error of one generation.
package imagegen

// #include <sdcpp.h>
import "C"

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"os"
	"strings"
	"sync"
	"time"
)

// Provider draws with a local model. For any number of goroutines.
type Provider struct {
	settings Settings
	family   string
	turns    chan struct{} // one for each generation that may run
	using    sync.RWMutex  // held for reading by generations, so that Close waits for them
	pool     *C.sdcpp_pool // nil once closed
	stop     context.CancelFunc
	stopped  context.Context
}

// Request is what one picture is drawn from. What is not set comes from the settings.
type Request struct {
	Prompt         string
	NegativePrompt string
	Width, Height  int
	Steps          int
	Guidance       *float64
	Sampler        Sampler // DPMPP2M if empty
	Seed           *int64  // nil: at random; Picture.Seed has it
	// Progress is told of it on another thread. The generation waits for it. May be nil.
	Progress func(stage string, done, total int)

	// Set by the picture tools.
	init, mask, reference image.Image
	strength              float64 // 0: not set
	json                  string
}

// Open tries the model: its headers are read, and memory is compared with what it needs by estimate. That
// takes milliseconds for one file; weights are read by the first generation. The error is an *Unavailable.
func Open(settings Settings) (*Provider, error) {
	settings = settings.withDefaults()
	if settings.ModelPath == "" {
		return nil, &Unavailable{Reason: NoModel}
	}
	provider := &Provider{settings: settings}
	if err := provider.open(); err != nil {
		return nil, unavailable(err)
	}
	provider.stopped, provider.stop = context.WithCancel(context.Background())
	return provider, nil
}

func (p *Provider) open() error {
	for _, value := range []struct {
		name         string
		number, most int
	}{
		{"MaxConcurrent", p.settings.MaxConcurrent, 1024},
		{"ImageSize", p.settings.ImageSize, 16384},
		{"Steps", p.settings.Steps, 1000},
		{"Threads", p.settings.Threads, math.MaxInt32},
	} {
		if value.number < 0 || value.number > value.most {
			return fmt.Errorf("%w: %s is %d, and must be at most %d, or 0 for the default", ErrInvalidRequest,
				value.name, value.number, value.most)
		}
	}
	var memory arena
	defer memory.free()
	config, err := p.settings.config(&memory)
	if err != nil {
		return err
	}
	var model *C.sdcpp_context
	if err := call(func() C.int32_t { return C.sdcpp_context_open(&config, nil, &model) }); err != nil {
		return err
	}
	var info struct {
		Family     string `json:"family"`
		MakesImage bool   `json:"makes_images"`
	}
	err = told(&info, func(out **C.char) C.int32_t { return C.sdcpp_context_info_json(model, out) })
	C.sdcpp_context_free(model)
	if err != nil {
		return err
	}
	if !info.MakesImage {
		return fmt.Errorf("%s is a model (%s) that draws no pictures", p.settings.ModelPath, info.Family)
	}
	p.family = info.Family

	if err := p.checkMemory(&memory, &config); err != nil {
		return err
	}
	p.turns = make(chan struct{}, p.settings.MaxConcurrent)
	var options C.sdcpp_pool_options
	C.sdcpp_pool_options_init(&options, C.sizeof_sdcpp_pool_options)
	options.isolated = 1
	options.models = C.uint32_t(p.settings.MaxConcurrent)
	return call(func() C.int32_t { return C.sdcpp_pool_open(&config, &options, &p.pool) })
}

func (s Settings) config(memory *arena) (C.sdcpp_model_config, error) {
	var config C.sdcpp_model_config
	err := call(func() C.int32_t {
		return C.sdcpp_model_config_init(&config, C.sizeof_sdcpp_model_config)
	})
	config.model = memory.text(s.ModelPath)
	config.threads = C.uint32_t(s.Threads)
	if s.AllowPickle {
		config.trust_pickle = 1
	}
	if s.FreeParams {
		config.params_backend = memory.text("disk")
	}
	if s.VAEPath == "" || err != nil {
		return config, err
	}
	var file struct {
		Field string `json:"config_field"`
	}
	path := memory.text(s.VAEPath)
	err = told(&file, func(out **C.char) C.int32_t { return C.sdcpp_model_inspect_json(path, out) })
	if file.Field == "taesd" {
		config.taesd = path
	} else {
		config.vae = path
	}
	return config, err
}

// checkMemory compares what a picture of the set size needs, by estimate, with what the devices have, and
// chooses how many are drawn at once where the settings do not say.
func (p *Provider) checkMemory(memory *arena, config *C.sdcpp_model_config) error {
	request, err := p.request(memory, Request{Prompt: "x"})
	if err != nil {
		return err
	}
	var estimate struct {
		Devices []struct {
			Device string
			Bytes  uint64
		}
	}
	err = told(&estimate, func(out **C.char) C.int32_t {
		return C.sdcpp_memory_estimate_json(config, &request, out)
	})
	if errors.Is(err, ErrUnsupported) { // a pickle file
		if p.settings.MaxConcurrent == 0 {
			p.settings.MaxConcurrent = 1
		}
		return nil
	}
	if err != nil {
		return err
	}
	var devices []struct {
		Name string
		Free uint64 `json:"memory_free"`
	}
	err = told(&devices, func(out **C.char) C.int32_t { return C.sdcpp_devices_json(out) })
	if err != nil {
		return err
	}
	atOnce := 2
	for _, device := range devices {
		for _, need := range estimate.Devices {
			if need.Device != device.Name {
				continue
			}
			if need.Bytes > device.Free {
				return fmt.Errorf("%w: a picture of %dx%d needs %d MiB on %s, which has %d MiB", ErrOutOfMemory,
					request.width, request.height, need.Bytes>>20, device.Name, device.Free>>20)
			}
			if need.Bytes > device.Free/2 {
				atOnce = 1
			}
		}
	}
	if p.settings.MaxConcurrent == 0 {
		p.settings.MaxConcurrent = atOnce
	}
	return nil
}

// Family of the model, as in "Z-Image".
func (p *Provider) Family() string { return p.family }

// MaxConcurrent is how many generations run at once.
func (p *Provider) MaxConcurrent() int { return cap(p.turns) }

// Generate draws. It waits for its turn, AcquireTimeout at most, and then has Timeout; a context that is
// cancelled or past its deadline ends both. The error is found by errors.Is.
func (p *Provider) Generate(ctx context.Context, request Request) (*Picture, error) {
	if err := p.acquire(ctx); err != nil {
		return nil, err
	}
	defer func() { <-p.turns }()
	p.using.RLock()
	defer p.using.RUnlock()
	if p.pool == nil {
		return nil, ErrClosed
	}
	drawn, err := p.generate(ctx, request)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		// The context may have been past its deadline.
		return nil, fmt.Errorf("%w: %v", ctx.Err(), err)
	}
	if p.stopped.Err() != nil && errors.Is(err, context.Canceled) {
		return nil, ErrClosed
	}
	return drawn, err
}

func (p *Provider) acquire(ctx context.Context) error {
	var late <-chan time.Time
	if p.settings.AcquireTimeout > 0 {
		timer := time.NewTimer(p.settings.AcquireTimeout)
		defer timer.Stop()
		late = timer.C
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case p.turns <- struct{}{}:
		return nil
	case <-p.stopped.Done():
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	case <-late:
		return fmt.Errorf("%w: waited %s for one of %d", ErrAcquireTimeout, p.settings.AcquireTimeout,
			cap(p.turns))
	}
}

func (p *Provider) generate(ctx context.Context, asked Request) (*Picture, error) {
	var memory arena
	defer memory.free()
	request, err := p.request(&memory, asked)
	if err != nil {
		return nil, err
	}
	watch := memory.watch()
	if p.settings.Timeout > 0 {
		watch.time_limit_ms = C.uint64_t(p.settings.Timeout.Milliseconds())
	}
	if asked.Progress != nil {
		defer follow(watch, asked.Progress).Delete()
	}
	if err := call(func() C.int32_t { return C.sdcpp_cancel_new(&watch.cancel) }); err != nil {
		return nil, err
	}
	ended, watched := make(chan struct{}), make(chan struct{})
	cancel := watch.cancel
	go func() {
		defer close(watched)
		select {
		case <-ctx.Done():
			C.sdcpp_cancel_now(cancel)
		case <-p.stopped.Done():
			C.sdcpp_cancel_now(cancel)
		case <-ended:
		}
	}()
	defer func() {
		close(ended)
		<-watched
		C.sdcpp_cancel_free(cancel)
	}()

	var result *C.sdcpp_result
	err = call(func() C.int32_t { return C.sdcpp_pool_generate(p.pool, &request, watch, &result) })
	if err != nil {
		return nil, err
	}
	defer C.sdcpp_result_free(result)
	return picture(result)
}

// request fills in what the settings say. Sizes that do not fit into the fields become ones that the
// library refuses.
func (p *Provider) request(memory *arena, asked Request) (C.sdcpp_image_request, error) {
	var request C.sdcpp_image_request
	err := call(func() C.int32_t {
		return C.sdcpp_image_request_init(&request, C.sizeof_sdcpp_image_request)
	})
	either := func(value, otherwise int) C.uint32_t {
		switch {
		case value == 0:
			value = otherwise
		case value < 0 || value > math.MaxUint32:
			value = math.MaxUint32
		}
		return C.uint32_t(value)
	}
	// C would take it for the end.
	if strings.ContainsRune(asked.Prompt+asked.NegativePrompt, 0) {
		return request, fmt.Errorf("%w: the prompt has a NUL character", ErrInvalidRequest)
	}
	guidance := asked.Guidance
	if guidance == nil {
		guidance = p.settings.Guidance
	}
	if asked.NegativePrompt == "" {
		asked.NegativePrompt = p.settings.NegativePrompt
	}
	if asked.Sampler == "" {
		asked.Sampler = DPMPP2M
	}
	request.prompt = memory.text(asked.Prompt)
	request.negative_prompt = memory.text(asked.NegativePrompt)
	request.sampler = memory.text(string(asked.Sampler))
	request.json = memory.text(asked.json)
	request.width = either(asked.Width, p.settings.ImageSize)
	request.height = either(asked.Height, p.settings.ImageSize)
	request.steps = either(asked.Steps, p.settings.Steps)
	request.cfg_scale = C.float(*guidance)
	if asked.Seed != nil {
		request.seed = C.int64_t(*asked.Seed)
	}
	if p.settings.VAETiling {
		request.vae_tiling = 1
	}
	if asked.strength != 0 {
		request.strength = C.float(asked.strength)
	}
	if asked.init != nil {
		request.init_image = memory.pixels(asked.init, 3)
	}
	if asked.mask != nil {
		request.mask = memory.pixels(asked.mask, 1)
	}
	if asked.reference != nil {
		request.reference_images = memory.pixels(asked.reference, 3)
		request.reference_image_count = 1
	}
	return request, err
}

// Close stops what runs, and frees the models. The generations fail with ErrClosed. It may be called twice.
func (p *Provider) Close() error {
	p.stop()
	p.using.Lock()
	defer p.using.Unlock()
	pool := p.pool
	p.pool = nil
	if pool == nil {
		return nil
	}
	err := call(func() C.int32_t { return C.sdcpp_pool_shutdown(pool, C.SDCPP_SHUTDOWN_CANCEL, 30_000) })
	C.sdcpp_pool_free(pool)
	return err
}

// OpenFromEnv opens what the environment names.
func OpenFromEnv() (*Provider, error) {
	settings, err := SettingsFrom(os.Getenv)
	if err != nil {
		return nil, &Unavailable{BadSettings, err}
	}
	return Open(settings)
}
