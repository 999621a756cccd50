//! Memory: what there is, and what a model and a picture need.

mod graph;
