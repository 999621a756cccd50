//! Many more threads than cores: they wait for each other asleep (vendor/fixes/barrier-sleep.toml), none of them
//! for ever, and draw what one thread draws.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod common;

use sdcpp::Context;
use std::thread;

/// Pictures of each context: each is some hundred graphs' worth of nodes, and all threads meet after each node.
const PICTURES: i64 = 10;

fn pictures(threads: u32) -> Vec<Vec<u8>> {
    let mut context = Context::new(common::demo_config().threads(threads)).unwrap();
    let request = common::quick_request("a red circle");
    (0..PICTURES)
        .map(|seed| {
            let generated = context.generate(&request.clone().seed(seed)).unwrap();
            generated.first().unwrap().as_bytes().to_vec()
        })
        .collect()
}

#[test]
fn eight_threads_in_each_of_two_contexts_draw_what_one_draws() {
    let one = pictures(1);
    let many: Vec<_> = thread::scope(|scope| {
        let contexts = [(); 2].map(|()| scope.spawn(|| pictures(8)));
        contexts.into_iter().map(|context| context.join().unwrap()).collect()
    });
    for drawn in many {
        assert!(drawn == one, "the pictures differ");
    }
}
