//! Two ggmls in one process: whisper.cpp's, which is linked in, and sdcpp's, which is opened at run time.
//! tests/coexist.rs builds and runs this:
//!
//! ```text
//! sdcpp-coexist c-local|c-global|rust LIBRARY MODEL TAESD PIXELS
//! ```
//!
//! writes the picture to the file PIXELS and facts on whisper.cpp's ggml to the standard output, or
//! fails with what went wrong.

mod ggml;
mod model;
mod ours;
mod whisper;

use ours::Ours;
use std::{
    env,
    ffi::CString,
    os::unix::ffi::OsStrExt as _,
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};
use whisper::{Heard, Whisper};

/// Of the tone that is listened to, in Hz.
const PITCH: f32 = 240.0;

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    let [way, library, model, taesd, pixels] = arguments.as_slice() else {
        return Err("arguments: c-local|c-global|rust LIBRARY MODEL TAESD PIXELS".into());
    };
    let way = way.to_str().ok_or("the first argument is no text")?;
    let open = || Ours::open(way, library, model, taesd);

    // Before ours is there.
    ggml::check_product()?;
    let mut whisper = Whisper::open()?;
    let heard = whisper.hear(PITCH)?;
    heard.check()?;
    expect(whisper.hear(PITCH * 2.0)? != heard, "whisper.cpp does not hear the sound")?;

    // Beside it, in turn, and at the same time.
    let mut ours = open()?;
    ggml::check_symbols(&CString::new(library.as_bytes())?)?;
    let drawn = ours.draw()?;
    expect(
        whisper.hear(PITCH)? == heard,
        "after the first picture, whisper.cpp hears something else",
    )?;
    both(&mut whisper, &heard, &mut ours, &drawn)?;

    // Each goes, and the other stays; and each is opened while the other is there.
    drop(ours);
    expect(whisper.hear(PITCH)? == heard, "without ours, whisper.cpp hears something else")?;
    let mut ours = open()?;
    drop(whisper);
    expect(ours.draw()? == drawn, "without whisper.cpp, the picture is another")?;
    expect(
        Whisper::open()?.hear(PITCH)? == heard,
        "opened again, whisper.cpp hears something else",
    )?;
    ggml::check_product()?;

    std::fs::write(pixels, drawn)?;
    println!("{}", ggml::facts()?);
    eprintln!("heard:{}", heard.text);
    Ok(())
}

/// Draws and listens at the same time: whisper.cpp goes on until three pictures are drawn.
fn both(
    whisper: &mut Whisper,
    heard: &Heard,
    ours: &mut Ours,
    drawn: &[u8],
) -> Result<(), Failure> {
    let start = Barrier::new(2);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let listener = scope.spawn(|| {
            start.wait();
            let mut times = 0;
            while !done.load(Ordering::Acquire) {
                expect(
                    whisper.hear(PITCH)? == *heard,
                    "while ours draws, whisper.cpp hears something else",
                )?;
                ggml::check_product()?;
                times += 1;
            }
            eprintln!("heard {times} times while three pictures were drawn");
            expect(times > 0, "ours drew before whisper.cpp began")
        });
        start.wait();
        let pictures = (0..3).try_for_each(|_| {
            expect(ours.draw()? == drawn, "while whisper.cpp listens, the picture is another")
        });
        done.store(true, Ordering::Release);
        listener.join().map_err(|_| "the listener panicked")??;
        pictures
    })
}

fn expect(is_so: bool, otherwise: &str) -> Result<(), Failure> {
    if is_so { Ok(()) } else { Err(otherwise.into()) }
}
