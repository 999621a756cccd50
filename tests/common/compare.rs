//! Whether a request draws what the engine draws by itself, and whether an option counts.

use super::direct;
use sdcpp::{Context, ImageRequest, ModelConfig, VideoRequest};

/// One model, asked for pictures that are compared with the C++ program's.
pub(crate) struct Compared {
    config: ModelConfig,
    context: Context,
}

impl Compared {
    pub(crate) fn new(config: ModelConfig) -> Self {
        let context = Context::new(&config).expect("the model opens");
        Self { config, context }
    }

    pub(crate) fn context(&mut self) -> &mut Context {
        &mut self.context
    }

    /// The pixels of all pictures, which the C++ program draws too.
    pub(crate) fn draw(&mut self, name: &str, request: &ImageRequest) -> Vec<u8> {
        let generated = self.context.generate(request).unwrap_or_else(|e| panic!("{name}: {e}"));
        let direct = direct::images(&self.config, request);
        assert_eq!(generated.images.len(), direct.len(), "{name}");
        for (picture, (width, height, pixels)) in generated.images.iter().zip(&direct) {
            assert_eq!((picture.width(), picture.height()), (*width, *height), "{name}");
            assert!(picture.as_bytes() == pixels.as_slice(), "{name}: pixels differ from C++");
        }
        generated.images.iter().flat_map(|picture| picture.as_bytes().to_vec()).collect()
    }

    /// Each variant is drawn as the C++ program draws it, and is another picture than the base.
    pub(crate) fn each_changes(
        &mut self,
        base: &ImageRequest,
        variants: impl IntoIterator<Item = (&'static str, ImageRequest)>,
    ) {
        let plain = self.draw("base", base);
        for (name, request) in variants {
            assert!(self.draw(name, &request) != plain, "{name} changes nothing");
        }
    }

    /// Each variant gives the picture of the base.
    pub(crate) fn none_changes(
        &mut self,
        base: &ImageRequest,
        variants: impl IntoIterator<Item = (&'static str, ImageRequest)>,
    ) {
        let plain = self.context.generate(base).expect("the base is drawn");
        for (name, request) in variants {
            let other = self.context.generate(&request).unwrap_or_else(|e| panic!("{name}: {e}"));
            let same = plain.images[0].as_bytes() == other.images[0].as_bytes();
            assert!(same, "{name} changes the picture");
        }
    }
}

/// The picture of a request by a model opened for it alone; as the C++ program draws it.
pub(crate) fn draw_alone(name: &str, config: ModelConfig, request: &ImageRequest) -> Vec<u8> {
    Compared::new(config).draw(name, request)
}

/// The frames, one after another; as the C++ program makes them.
pub(crate) fn make_video(name: &str, config: &ModelConfig, request: &VideoRequest) -> Vec<u8> {
    let mut context = Context::new(config).expect("the model opens");
    make_video_with(&mut context, name, config, request)
}

/// The same by a context of this configuration.
pub(crate) fn make_video_with(
    context: &mut Context,
    name: &str,
    config: &ModelConfig,
    request: &VideoRequest,
) -> Vec<u8> {
    let video = context.generate_video(request).unwrap_or_else(|e| panic!("{name}: {e}"));
    let (frames, sound) = direct::video(config, request);
    assert_eq!(video.frames.len(), frames.len(), "{name}");
    for (frame, (width, height, pixels)) in video.frames.iter().zip(&frames) {
        assert_eq!((frame.width(), frame.height()), (*width, *height), "{name}");
        assert!(frame.as_bytes() == pixels.as_slice(), "{name}: pixels differ from C++");
    }
    assert_eq!(video.audio.map(|audio| audio.samples), sound, "{name}");
    frames.into_iter().flat_map(|(.., pixels)| pixels).collect()
}
