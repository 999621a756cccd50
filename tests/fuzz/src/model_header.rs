//! Model files: safetensors, GGUF and pickle headers, and everything told from them.

use sdcpp::ModelFile;
use std::{cell::RefCell, fs::File, io::Write};

thread_local! {
    /// One file that is written again and again; in memory where the system has a place for that.
    static FILE: RefCell<Option<tempfile::NamedTempFile>> = const { RefCell::new(None) };
}

/// Opens the bytes as a model file. The first byte says whether a hole of a gibibyte follows them,
/// so that tensors which a header promises lie within the file.
///
/// Everything that opening lets through can be asked everything.
pub(crate) fn run(input: &[u8]) {
    let Some((flags, bytes)) = input.split_first() else { return };
    FILE.with_borrow_mut(|file| {
        let file = file.get_or_insert_with(|| {
            let folder = std::path::Path::new("/dev/shm");
            let made = match folder.is_dir() {
                true => tempfile::NamedTempFile::new_in(folder),
                false => tempfile::NamedTempFile::new(),
            };
            made.unwrap_or_else(|error| panic!("a temporary file: {error}"))
        });
        // Written in place: the path is opened anew below.
        let length = bytes.len() as u64 + if flags & 1 == 1 { 1 << 30 } else { 0 };
        File::create(file.path())
            .and_then(|mut file| file.write_all(bytes).and_then(|()| file.set_len(length)))
            .unwrap_or_else(|error| panic!("the temporary file: {error}"));
        if let Ok(model) = ModelFile::open(file.path()) {
            ask_everything(&model, length);
        }
    });
}

fn ask_everything(model: &ModelFile, length: u64) {
    assert!(model.bytes() == length, "{} bytes of {length}", model.bytes());
    for tensor in model.tensors() {
        let end = tensor.offset().checked_add(tensor.bytes());
        assert!(end.is_some_and(|end| end <= length), "{tensor:?} is not within {length} bytes");
        assert!(model.tensor(tensor.name()).is_some(), "{tensor:?} is not found by its name");
    }
    let _ = (model.architecture(), model.reason(), model.config_field(), model.quantisation());
    let _ = (model.components(), model.missing_parts(), model.weight_types(), model.lora());
    let _ = (model.lora_fits(model), model.control_net_fits(model), model.embedding_fits(model));
    let _ = format!("{model} {:?}", model.metadata().collect::<Vec<_>>());
}
