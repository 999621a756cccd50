//! What a pool and a worker process add to a warm picture, and how threads are best shared out.

use crate::{
    Outcome,
    models::{demo, demo_picture, threads},
    paired::by_turns,
};
use sdcpp::{
    Context, ContextPool, Engine, PoolOptions, Watch,
    isolated::{WorkerCommand, WorkerOptions, WorkerPool},
};
use std::time::{Duration, Instant};

pub(crate) fn measure() -> Outcome {
    added()?;
    shared_out()
}

fn timed<T, E: std::error::Error + 'static>(
    draw: impl FnOnce() -> Result<T, E>,
) -> Outcome<Duration> {
    let begin = Instant::now();
    let drawn = draw()?;
    let took = begin.elapsed();
    drop(drawn);
    Ok(took)
}

fn added() -> Outcome {
    println!(
        "A warm picture (demo, 128², 12 steps, {} threads) against `Context::generate`.\n",
        threads()?
    );
    println!("| through | ms | context, ms | ratio (95 %) | added, ms |");
    println!("|---|---|---|---|---|");
    let request = demo_picture();
    // The default of pools, for all three.
    let config = demo().mmap(true);
    let one = PoolOptions::default().size(1);
    let pool = ContextPool::open(&Engine::auto()?, config.clone(), one.clone())?;
    let workers = WorkerPool::open(
        WorkerCommand::this_program(),
        config.clone(),
        WorkerOptions::default(),
        one,
    )?;
    let mut context = Context::new(config)?;
    for (name, paired) in [
        (
            "`ContextPool`",
            by_turns(
                40,
                || timed(|| pool.generate(&request)),
                || timed(|| context.generate(&request)),
            )?,
        ),
        (
            "`WorkerPool`, a process",
            by_turns(
                40,
                || timed(|| workers.generate(&request)),
                || timed(|| context.generate(&request)),
            )?,
        ),
    ] {
        let (ours, theirs) = paired.medians();
        println!(
            "| {name} | {:.1} | {:.1} | {} | {:.2} |",
            ours * 1e3,
            theirs * 1e3,
            paired.ratio(),
            paired.added() * 1e3
        );
    }
    Ok(())
}

fn shared_out() -> Outcome {
    /// Pictures that are asked for at once.
    const PICTURES: u64 = 8;
    println!(
        "\n{PICTURES} pictures at once; each way against one context with all threads, by turns.\n"
    );
    println!("| contexts | threads each | pictures a minute | time, ratio (95 %) |");
    println!("|---|---|---|---|");
    let cores = threads()?;
    let engine = Engine::auto()?;
    let open = |contexts: usize, threads: u32| {
        let options = PoolOptions::default().size(contexts);
        ContextPool::open(&engine, demo().threads(threads), options)
    };
    let all = |pool: &ContextPool| -> Outcome<Duration> {
        let begin = Instant::now();
        let jobs = (0..PICTURES).map(|seed| {
            pool.submit(demo_picture().seed(i64::try_from(seed).unwrap_or_default()), Watch::new())
        });
        let jobs = jobs.collect::<Result<Vec<_>, _>>()?;
        for job in jobs {
            job.wait()?;
        }
        Ok(begin.elapsed())
    };
    let one = open(1, cores)?;
    for (contexts, threads) in [(1, 1), (2, 1), (2, cores), (4, 1), (4, cores)] {
        let other = open(contexts, threads)?;
        let paired = by_turns(5, || all(&other), || all(&one))?;
        let (ours, _) = paired.medians();
        println!(
            "| {contexts} | {threads} | {:.1} | {} |",
            PICTURES as f64 * 60.0 / ours,
            paired.ratio()
        );
    }
    Ok(())
}
