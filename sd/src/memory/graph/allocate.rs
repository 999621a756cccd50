//! ggml's rules of who gets which memory (`ggml-alloc.c` at the pin).

use super::{Graph, Kind, Node, Tensor};

/// What the CPU's and most other buffers align tensors to.
const ALIGNMENT: u64 = 32;

/// What is known of a node meanwhile.
#[derive(Debug, Clone, Copy, Default)]
struct State {
    /// Nodes yet to come that read it.
    children: usize,
    /// Views of it that are still read.
    views: usize,
    /// Its place, if it has one of its own.
    offset: Option<u64>,
    /// How large that is.
    bytes: u64,
}

impl Graph {
    /// The size of the buffer that ggml reserves for the graph.
    pub(crate) fn buffer_size(&self) -> u64 {
        if self.outputs.is_empty() {
            return 0;
        }
        let order = self.order();
        let mut states = vec![State::default(); self.nodes.len()];
        let mut pool = Pool::default();
        let is_input = |node: &Node| node.kind == Kind::Input;
        for (tensor, node) in order.iter().filter_map(|t| Some((*t, self.nodes.get(t.0)?))) {
            if is_input(node) {
                self.give(tensor, node, &mut states, &mut pool);
            }
            if let Kind::View(of) = node.kind
                && let Some(state) = states.get_mut(of.0)
            {
                state.views += 1;
            }
            for source in &node.sources {
                if let Some(state) = states.get_mut(source.0) {
                    state.children += 1;
                }
            }
        }
        // Two constants that the engine puts behind the inputs of every graph, for ever.
        (0..2).for_each(|_| _ = pool.take(ALIGNMENT));
        for (tensor, node) in order.iter().filter_map(|t| Some((*t, self.nodes.get(t.0)?))) {
            if !is_input(node) {
                self.give(tensor, node, &mut states, &mut pool);
                node.sources.iter().for_each(|s| self.read(*s, &mut states, &mut pool));
            }
        }
        pool.most
    }

    /// The order in which ggml computes: what a node is made of from left to right, then the node.
    fn order(&self) -> Vec<Tensor> {
        let mut seen = vec![false; self.nodes.len()];
        let mut order = Vec::with_capacity(self.nodes.len());
        // Without recursion: graphs are thousands of nodes deep.
        let mut stack: Vec<(Tensor, usize)> = Vec::new();
        for output in &self.outputs {
            stack.push((*output, 0));
            while let Some((tensor, next)) = stack.pop() {
                let Some(node) = self.nodes.get(tensor.0) else { continue };
                let Some(seen) = seen.get_mut(tensor.0) else { continue };
                if next == 0 && std::mem::replace(seen, true) {
                    continue;
                }
                match node.sources.get(next) {
                    Some(source) => stack.extend([(tensor, next + 1), (*source, 0)]),
                    None => order.push(tensor),
                }
            }
        }
        order
    }

    /// Gives a node its memory, an operand's if it may.
    fn give(&self, tensor: Tensor, node: &Node, states: &mut [State], pool: &mut Pool) {
        if matches!(node.kind, Kind::View(_)) {
            return;
        }
        let bytes = aligned(node.bytes);
        let mut offset = None;
        if node.kind == Kind::InPlace {
            offset = node.sources.iter().find_map(|s| self.take_over(*s, bytes, states));
        }
        let offset = offset.unwrap_or_else(|| pool.take(bytes));
        if let Some(state) = states.get_mut(tensor.0) {
            (state.offset, state.bytes) = (Some(offset), bytes);
        }
    }

    /// Takes the memory of an operand that is read for the last time, if that has its own: ggml does
    /// not write over what a view shows.
    fn take_over(&self, source: Tensor, bytes: u64, states: &mut [State]) -> Option<u64> {
        let state = states.get_mut(source.0)?;
        let fits = state.bytes == bytes && (state.children, state.views) == (1, 0);
        if fits { state.offset.take() } else { None }
    }

    /// A node has read it; after the last one its memory is free.
    fn read(&self, source: Tensor, states: &mut [State], pool: &mut Pool) {
        let Some(state) = states.get_mut(source.0) else { return };
        state.children = state.children.saturating_sub(1);
        if (state.children, state.views) != (0, 0) {
            return;
        }
        let owner = match self.nodes.get(source.0).map(|node| node.kind) {
            Some(Kind::View(of)) => of,
            _ => source,
        };
        let Some(state) = states.get_mut(owner.0) else { return };
        if owner != source {
            state.views = state.views.saturating_sub(1);
        }
        if (state.children, state.views) == (0, 0)
            && let Some(offset) = state.offset.take()
        {
            let bytes = state.bytes;
            pool.give_back(offset, bytes);
        }
    }
}

fn aligned(bytes: u64) -> u64 {
    bytes.checked_next_multiple_of(ALIGNMENT).unwrap_or(u64::MAX)
}

/// Free memory between what is taken; without end behind.
#[derive(Debug, Default)]
struct Pool {
    /// Offsets and sizes of the holes, in order.
    holes: Vec<(u64, u64)>,
    /// Where the free memory behind everything begins.
    end: u64,
    /// How large the buffer must be.
    most: u64,
}

impl Pool {
    /// The smallest hole that is large enough, the last of several; else from the end.
    fn take(&mut self, bytes: u64) -> u64 {
        let fitting = self.holes.iter().enumerate().filter(|(_, (_, size))| *size >= bytes);
        let best = fitting.rev().min_by_key(|(_, (_, size))| *size).map(|(index, _)| index);
        let offset = match best.and_then(|index| self.holes.get_mut(index)) {
            Some((offset, size)) => {
                let at = *offset;
                *offset = offset.saturating_add(bytes);
                *size -= bytes;
                at
            }
            None => {
                let at = self.end;
                self.end = self.end.saturating_add(bytes);
                at
            }
        };
        self.holes.retain(|(_, size)| *size > 0);
        self.most = self.most.max(offset.saturating_add(bytes));
        offset
    }

    fn give_back(&mut self, offset: u64, bytes: u64) {
        if bytes == 0 {
            return;
        }
        let at = self.holes.partition_point(|(start, _)| *start < offset);
        self.holes.insert(at, (offset, bytes));
        self.holes.dedup_by(|next, hole| {
            let touch = hole.0.saturating_add(hole.1) == next.0;
            if touch {
                hole.1 = hole.1.saturating_add(next.1);
            }
            touch
        });
        if let Some((offset, _)) =
            self.holes.pop_if(|(offset, size)| offset.saturating_add(*size) == self.end)
        {
            self.end = offset;
        }
    }
}
