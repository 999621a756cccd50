//! Prompts: weights such as `(a:1.2)`, nested brackets, `<lora:…>` tags.

use sdcpp::{ImageRequest, LoraFolder};
use std::sync::OnceLock;

/// Checks the text as a prompt, and takes its LoRA tags out.
///
/// What is left of a prompt without tags is the prompt; and the check is the same the second time.
pub(crate) fn run(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let request = ImageRequest::new(text.clone()).negative_prompt(text.clone());
    let allowed = request.check().is_ok();
    assert_eq!(request.check().is_ok(), allowed);
    if let Ok((rest, loras)) = folder().resolve(&text) {
        assert!(rest.len() <= text.len(), "{rest:?} of {text:?}");
        if !text.contains("<lora:") {
            assert!(rest == text && loras.is_empty(), "{rest:?} of {text:?}");
        }
        let again = folder().resolve(&rest);
        let _ = again.map(|(rest, _)| ImageRequest::new(rest).check());
    }
}

/// A folder with LoRAs of the names `a`, `b` and `sub/c`, which are empty files.
fn folder() -> &'static LoraFolder {
    static FOLDER: OnceLock<(tempfile::TempDir, LoraFolder)> = OnceLock::new();
    let (_, folder) = FOLDER.get_or_init(|| {
        let made = (|| {
            let folder = tempfile::tempdir()?;
            std::fs::create_dir(folder.path().join("sub"))?;
            for name in ["a.safetensors", "b.gguf", "sub/c.safetensors"] {
                std::fs::write(folder.path().join(name), b"")?;
            }
            let listed = LoraFolder::open(folder.path()).map_err(std::io::Error::other)?;
            Ok::<_, std::io::Error>((folder, listed))
        })();
        made.unwrap_or_else(|error| panic!("a folder of LoRAs: {error}"))
    });
    folder
}
