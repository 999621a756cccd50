//! From the start of a process to its first picture.

use crate::{
    Outcome,
    direct::{Direct, Warm},
    models::{demo, demo_picture},
    own_process::{OwnProcess, Task},
    paired::by_turns,
    upstream::UPSTREAM,
};
use sdcpp::ModelConfig;

pub(crate) fn task() -> Task {
    Task { config: demo(), request: demo_picture(), warm: Warm::No, repeat: 1 }
}

pub(crate) fn measure() -> Outcome {
    println!("A process that opens the demo model, draws once, writes bare pixels and ends.\n");
    println!("| demo, 128², 12 steps, against | crate, ms | the other, ms | ratio (95 %) |");
    println!("|---|---|---|---|");
    // As each has it by default.
    let im2col = demo().diffusion_conv_direct(false).vae_conv_direct(false);
    row("the C API of the same build", &Direct::new()?, &demo())?;
    row("the C API of upstream's own build", &Direct::of(UPSTREAM.build("direct", &[])?)?, &im2col)
}

fn row(name: &str, direct: &Direct, config: &ModelConfig) -> Outcome {
    let own = OwnProcess::new("start", 0)?;
    let paired = by_turns(
        15,
        || Ok(own.draw()?.process),
        || Ok(direct.draw(config, &demo_picture(), Warm::No)?.process),
    )?;
    let (ours, theirs) = paired.medians();
    println!("| {name} | {:.0} | {:.0} | {} |", ours * 1e3, theirs * 1e3, paired.ratio());
    Ok(())
}
