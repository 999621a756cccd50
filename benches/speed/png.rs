//! PNG files: the crate's encoder against stb's, which the engine's command line uses.

use crate::{Outcome, native, paired::by_turns, pictures};
use image::RgbImage;
use sdcpp::{Picture, PngCompression};
use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

/// The program of tests/native/stb_png.cpp, which encodes the same picture as often as it is told to.
struct Stb {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Stb {
    fn new(program: &Path, picture: &RgbImage) -> Outcome<Self> {
        let mut child = Command::new(program)
            .args([picture.width().to_string(), picture.height().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut input = child.stdin.take().ok_or("no pipe")?;
        let output = BufReader::new(child.stdout.take().ok_or("no pipe")?);
        input.write_all(picture)?;
        Ok(Self { child, input, output })
    }

    /// Seconds and bytes.
    fn encode(&mut self) -> Outcome<(Duration, usize)> {
        self.input.write_all(b"\n")?;
        self.input.flush()?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let (seconds, bytes) = line.trim().split_once(' ').ok_or("stb_png told nothing")?;
        Ok((Duration::try_from_secs_f64(seconds.parse()?)?, bytes.parse()?))
    }
}

impl Drop for Stb {
    fn drop(&mut self) {
        // It has done its work.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn measure() -> Outcome {
    println!("RGB to the bytes of a file, against stb's writer.\n");
    println!(
        "| picture | level | ms | MB | stb, ms | stb's time over ours (95 %) | our size over stb's |"
    );
    println!("|---|---|---|---|---|---|---|");
    let program = native::fast_program("stb_png");
    for (name, picture) in pictures::all()? {
        let mut stb = Stb::new(&program, &picture)?;
        let (_, theirs) = stb.encode()?;
        let picture = Picture::from(picture);
        for (level, compression) in [
            ("fast", PngCompression::Fast),
            ("balanced", PngCompression::Balanced),
            ("high", PngCompression::High),
        ] {
            let bytes = picture.to_png_with(compression)?.len();
            let paired = by_turns(
                9,
                || Ok(stb.encode()?.0),
                || {
                    let begin = Instant::now();
                    picture.to_png_with(compression)?;
                    Ok(begin.elapsed())
                },
            )?;
            let (stb_time, time) = paired.medians();
            println!(
                "| {name} | {level} | {:.2} | {:.3} | {:.2} | {} | {:.3} |",
                time * 1e3,
                bytes as f64 / 1e6,
                stb_time * 1e3,
                paired.ratio(),
                bytes as f64 / theirs as f64,
            );
        }
    }
    Ok(())
}
