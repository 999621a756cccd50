package imagegen

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// demo opens the repository's small model, with settings as it was trained.
func demo(t *testing.T, change func(*Settings)) *Provider {
	t.Helper()
	guidance := 3.0
	settings := Settings{
		ModelPath: "../models/demo_q8_0.gguf",
		VAEPath:   "../models/demo_tae.gguf",
		ImageSize: 128, Steps: 12, Guidance: &guidance, MaxConcurrent: 1, Threads: 1,
	}
	if change != nil {
		change(&settings)
	}
	provider, err := Open(settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := provider.Close(); err != nil {
			t.Error(err)
		}
	})
	return provider
}

func circle() Request {
	seed := int64(42)
	return Request{Prompt: "a red circle", Sampler: Euler, Seed: &seed}
}

// long takes minutes unless it is stopped.
func long() Request {
	request := circle()
	request.Steps = 1000
	request.Width, request.Height = 256, 256
	return request
}

func must(t *testing.T, picture *Picture, err error) *Picture {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return picture
}

func isNear(got color.Color, r, g, b uint8) bool {
	pixel := color.NRGBAModel.Convert(got).(color.NRGBA)
	near := func(a, b uint8) bool { d := int(a) - int(b); return d*d < 70*70 }
	return near(pixel.R, r) && near(pixel.G, g) && near(pixel.B, b)
}

func TestSettingsComeFromTheEnvironment(t *testing.T) {
	variables := map[string]string{
		"SD_MODEL_PATH": "m.gguf", "SD_VAE_PATH": "v.gguf", "SD_IMAGE_SIZE": " 640 ",
		"SD_INFERENCE_STEPS": "8", "SD_GUIDANCE_SCALE": "0", "SD_NEGATIVE_PROMPT": "fog",
		"SD_TIMEOUT_SECONDS": "0", "SD_MAX_CONCURRENT": "1", "SD_VAE_TILING": "true", "SD_FREE_PARAMS": "on",
	}
	got, err := SettingsFrom(func(name string) string { return variables[name] })
	if err != nil {
		t.Fatal(err)
	}
	if got.ModelPath != "m.gguf" || got.VAEPath != "v.gguf" || got.ImageSize != 640 || got.Steps != 8 ||
		*got.Guidance != 0 || got.NegativePrompt != "fog" || got.Timeout >= 0 || got.MaxConcurrent != 1 ||
		!got.VAETiling || !got.FreeParams {
		t.Errorf("%+v", got)
	}
	nothing, err := SettingsFrom(func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	defaults := nothing.withDefaults()
	if defaults.ImageSize != 512 || defaults.Steps != 20 || *defaults.Guidance != 7.5 ||
		defaults.Timeout != 120*time.Second || defaults.VAETiling || defaults.FreeParams {
		t.Errorf("%+v", defaults)
	}
	for name, value := range map[string]string{
		"SD_IMAGE_SIZE": "-1", "SD_INFERENCE_STEPS": "many", "SD_GUIDANCE_SCALE": "NaN",
		"SD_TIMEOUT_SECONDS": "1.5", "SD_MAX_CONCURRENT": "0x", "SD_VAE_TILING": "maybe",
	} {
		_, err := SettingsFrom(func(asked string) string {
			if asked == name {
				return value
			}
			return ""
		})
		if err == nil || !strings.HasPrefix(err.Error(), name+" is "+value) {
			t.Errorf("%s=%s: %v", name, value, err)
		}
	}
}

func TestEachReasonNotToServeHasItsType(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "broken.gguf")
	if err := os.WriteFile(broken, []byte("GGUF and no more"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, reason := range map[string]Reason{
		"": NoModel, "no/such.gguf": NotFound, broken: DoesNotLoad, "../models/demo_tae.gguf": DoesNotLoad,
	} {
		_, err := Open(Settings{ModelPath: path})
		var unavailable *Unavailable
		if !errors.As(err, &unavailable) || unavailable.Reason != reason {
			t.Errorf("%q: %v", path, err)
		}
		if reason == DoesNotLoad && !errors.Is(err, ErrModelLoad) {
			t.Errorf("%q: %v is not ErrModelLoad", path, err)
		}
	}
	_, err := Open(Settings{ModelPath: "../models/demo_q8_0.gguf", VAEPath: "no/vae.gguf"})
	var unavailable *Unavailable
	if !errors.As(err, &unavailable) || unavailable.Reason != NotFound {
		t.Error(err)
	}
	for _, c := range []struct {
		settings Settings
		reason   Reason
	}{
		{Settings{MaxConcurrent: -1}, BadSettings},
		{Settings{Threads: -1}, BadSettings},
		{Settings{ImageSize: 99999}, BadSettings},
		{Settings{ImageSize: 16384}, NoMemory},
	} {
		c.settings.ModelPath, c.settings.VAEPath = "../models/demo_q8_0.gguf", "../models/demo_tae.gguf"
		_, err := Open(c.settings)
		if !errors.As(err, &unavailable) || unavailable.Reason != c.reason {
			t.Errorf("%+v: %v", c.settings, err)
		}
		if c.reason == NoMemory && !errors.Is(err, ErrOutOfMemory) {
			t.Errorf("%v is not ErrOutOfMemory", err)
		}
	}
}

func TestAPictureIsDrawnAndTellsItsSeed(t *testing.T) {
	provider := demo(t, func(s *Settings) { s.MaxConcurrent = 0 })
	if provider.Family() != "Z-Image" || provider.MaxConcurrent() != 2 {
		t.Error(provider.Family(), provider.MaxConcurrent())
	}
	request := circle()
	steps := 0
	request.Progress = func(stage string, done, total int) {
		if stage == "sampling" && total == 12 {
			steps = done
		}
	}
	drawn, err := provider.Generate(context.Background(), request)
	must(t, drawn, err)
	if drawn.Bounds().Size() != image.Pt(128, 128) || drawn.Seed != 42 || steps != 12 {
		t.Error(drawn.Bounds(), drawn.Seed, steps)
	}
	if !isNear(drawn.At(64, 64), 255, 0, 0) || !isNear(drawn.At(4, 4), 255, 255, 255) {
		t.Error(drawn.At(64, 64), drawn.At(4, 4))
	}
	decoded, err := png.Decode(bytes.NewReader(drawn.PNG))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < 128*128; i++ {
		x, y := i%128, i/128
		if color.NRGBAModel.Convert(decoded.At(x, y)) != drawn.At(x, y) {
			t.Fatalf("the PNG file differs at %d, %d", x, y)
		}
	}
	request.Seed, request.Progress = nil, nil
	first, err := provider.Generate(context.Background(), request)
	must(t, first, err)
	second, err := provider.Generate(context.Background(), request)
	must(t, second, err)
	if first.Seed == second.Seed {
		t.Error("two seeds at random are", first.Seed)
	}
	request.Prompt = "a red\x00circle"
	if _, err := provider.Generate(context.Background(), request); !errors.Is(err, ErrInvalidRequest) {
		t.Error(err)
	}
	request = circle()
	request.Width = -1
	if _, err := provider.Generate(context.Background(), request); !errors.Is(err, ErrInvalidRequest) {
		t.Error(err)
	}
}

func TestAGenerationIsCancelledAndTheNextOneWorks(t *testing.T) {
	provider := demo(t, nil)
	ctx, cancel := context.WithCancel(context.Background())
	request := long()
	request.Progress = func(stage string, done, _ int) {
		if stage == "sampling" && done == 2 {
			cancel()
		}
	}
	if _, err := provider.Generate(ctx, request); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := provider.Generate(ctx, circle()); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	ctx, cancel = context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if _, err := provider.Generate(ctx, long()); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	drawn, err := provider.Generate(context.Background(), circle())
	must(t, drawn, err)
}

func TestGenerationsAndWaitsHaveTheirLimits(t *testing.T) {
	provider := demo(t, func(s *Settings) {
		s.Timeout, s.AcquireTimeout = 3*time.Second, 50*time.Millisecond
	})
	var once sync.Once
	started, ended := make(chan struct{}), make(chan error, 1)
	request := long()
	request.Progress = func(string, int, int) { once.Do(func() { close(started) }) }
	go func() {
		_, err := provider.Generate(context.Background(), request)
		ended <- err
	}()
	select {
	case <-started:
	case err := <-ended:
		t.Fatal("it ended before it began:", err)
	}
	if _, err := provider.Generate(context.Background(), circle()); !errors.Is(err, ErrAcquireTimeout) {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, ErrGenerationTimeout) {
		t.Error(err)
	}
}

func TestClosingStopsWhatRuns(t *testing.T) {
	provider := demo(t, nil)
	started, ended := make(chan struct{}), make(chan error, 1)
	request := long()
	request.Progress = func(stage string, done, _ int) {
		if stage == "sampling" && done == 2 {
			close(started)
		}
	}
	go func() {
		_, err := provider.Generate(context.Background(), request)
		ended <- err
	}()
	select {
	case <-started:
	case err := <-ended:
		t.Fatal("it ended before it was stopped:", err)
	}
	if err := provider.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if _, err := provider.Generate(context.Background(), circle()); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

func TestThePictureTools(t *testing.T) {
	provider := demo(t, nil)
	ctx := context.Background()
	start, err := provider.Background(ctx, circle())
	must(t, start, err)

	t.Run("the eraser takes out what is masked", func(t *testing.T) {
		mask := image.NewGray(start.Bounds())
		for i := range mask.Pix {
			if x, y := i%128, i/128; x > 24 && y > 24 && x < 104 && y < 104 {
				mask.Pix[i] = 255
			}
		}
		request := circle()
		request.Prompt = ""
		erased, err := provider.Erase(ctx, start, mask, request)
		must(t, erased, err)
		if erased.Bounds() != start.Bounds() || erased.At(2, 2) != start.At(2, 2) {
			t.Error(erased.Bounds(), erased.At(2, 2), start.At(2, 2))
		}
		if !isNear(erased.At(64, 64), 255, 255, 255) || !isNear(erased.At(50, 70), 255, 255, 255) {
			t.Error(erased.At(64, 64), erased.At(50, 70))
		}
		small := image.NewGray(image.Rect(0, 0, 9, 9))
		if _, err := provider.Erase(ctx, start, small, request); !errors.Is(err, ErrInvalidRequest) {
			t.Error(err)
		}
		small.Pix[0] = 255
		_, err = provider.Erase(ctx, start, small, request)
		if !errors.Is(err, ErrInvalidRequest) || !strings.Contains(err.Error(), "9x9") {
			t.Error(err)
		}
	})
	t.Run("the edit draws over where the model takes no references", func(t *testing.T) {
		request := circle()
		request.Prompt = "a blue circle"
		edited, err := provider.Edit(ctx, start, 0, request)
		must(t, edited, err)
		if !isNear(edited.At(64, 64), 0, 0, 255) {
			t.Error(edited.At(64, 64))
		}
	})
	t.Run("the expansion keeps the picture and adds to it", func(t *testing.T) {
		request := circle()
		request.Steps = 4
		wide, err := provider.Expand(ctx, start, Sides{Right: 50, Top: 10}, request)
		must(t, wide, err)
		if wide.Bounds().Size() != image.Pt(178, 138) || wide.At(64, 74) != start.At(64, 64) {
			t.Error(wide.Bounds(), wide.At(64, 74))
		}
		if _, err := provider.Expand(ctx, start, Sides{}, request); !errors.Is(err, ErrInvalidRequest) {
			t.Error(err)
		}
	})
}

func TestAMaskedPartIsFilledFromAroundIt(t *testing.T) {
	photo := image.NewNRGBA(image.Rect(0, 0, 13, 7))
	mask := image.NewGray(photo.Bounds())
	for i := 0; i < 13*7; i++ {
		photo.SetNRGBA(i%13, i/13, color.NRGBA{200, 100, 50, 255})
	}
	for y := 2; y < 5; y++ {
		for x := 3; x < 9; x++ {
			photo.SetNRGBA(x, y, color.NRGBA{0, 255, 255, 255})
			mask.SetGray(x, y, color.Gray{255})
		}
	}
	if got := masked(mask); got != image.Rect(3, 2, 9, 5) {
		t.Error(got)
	}
	for i, got := range filled(photo, mask).(*image.NRGBA).Pix {
		if want := [4]uint8{200, 100, 50, 255}[i%4]; got != want {
			t.Fatalf("byte %d is %d", i, got)
		}
	}
}
