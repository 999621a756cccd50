//! whisper.cpp's ggml, called by itself.

use crate::Failure;
use std::ffi::CStr;
use whisper_rs_sys as sys;

/// A context of ggml with memory of its own.
struct Arena(*mut sys::ggml_context);

impl Arena {
    fn new() -> Result<Self, Failure> {
        let parameters = sys::ggml_init_params {
            mem_size: 4 << 20,
            mem_buffer: std::ptr::null_mut(),
            no_alloc: false,
        };
        // SAFETY: ggml allocates the memory.
        let context = unsafe { sys::ggml_init(parameters) };
        if context.is_null() { Err("ggml_init fails".into()) } else { Ok(Self(context)) }
    }

    /// A matrix of floats.
    fn matrix(&self, columns: usize, rows: usize, values: &[f32]) -> *mut sys::ggml_tensor {
        assert_eq!(values.len(), columns * rows, "the matrix is given whole");
        // SAFETY: the context is whole; it has room for `columns` x `rows` floats and more, and the new
        // tensor's are as many as `values`.
        unsafe {
            let (columns, rows) = (columns as i64, rows as i64);
            let tensor =
                sys::ggml_new_tensor_2d(self.0, sys::ggml_type_GGML_TYPE_F32, columns, rows);
            let data = sys::ggml_get_data_f32(tensor);
            std::ptr::copy_nonoverlapping(values.as_ptr(), data, values.len());
            tensor
        }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: it is whole, and its tensors are used no more.
        unsafe { sys::ggml_free(self.0) }
    }
}

/// Multiplies two matrices, and compares with a multiplication in Rust.
pub(crate) fn check_product() -> Result<(), Failure> {
    const INNER: usize = 96;
    const ROWS: usize = 40;
    const COLUMNS: usize = 24;
    let mut random = fastrand::Rng::with_seed(2);
    let mut values = |count| -> Vec<f32> { (0..count).map(|_| random.f32() * 2.0 - 1.0).collect() };
    let (a, b) = (values(INNER * ROWS), values(INNER * COLUMNS));
    let arena = Arena::new()?;
    let (left, right) = (arena.matrix(INNER, ROWS, &a), arena.matrix(INNER, COLUMNS, &b));
    // SAFETY: context and tensors are whole; the context has room for graph, work and result; the
    // result has `ROWS` x `COLUMNS` floats.
    let product = unsafe {
        let product = sys::ggml_mul_mat(arena.0, left, right);
        let graph = sys::ggml_new_graph(arena.0);
        sys::ggml_build_forward_expand(graph, product);
        let status = sys::ggml_graph_compute_with_ctx(arena.0, graph, 2);
        if status != sys::ggml_status_GGML_STATUS_SUCCESS {
            return Err(format!("ggml_graph_compute_with_ctx: {status}").into());
        }
        std::slice::from_raw_parts(sys::ggml_get_data_f32(product), ROWS * COLUMNS).to_vec()
    };
    let dot = |x: &[f32], y: &[f32]| -> f64 {
        x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
    };
    let expected =
        b.chunks(INNER).flat_map(|column| a.chunks(INNER).map(move |row| dot(row, column)));
    for (i, (computed, expected)) in product.iter().zip(expected).enumerate() {
        if (f64::from(*computed) - expected).abs() > 1e-4 {
            return Err(format!("product {i} is {computed} and not {expected}").into());
        }
    }
    Ok(())
}

/// How this ggml differs from ours: its version, bytes that a tensor takes, and how much of a long name
/// it keeps.
pub(crate) fn facts() -> Result<String, Failure> {
    let arena = Arena::new()?;
    let tensor = arena.matrix(1, 1, &[0.0]);
    let long = c"a name of a tensor that is longer than any ggml keeps, and so is cut by each at the length it was built with: 64 or 128 bytes, the end included";
    // SAFETY: the tensor is whole, the texts are NUL-terminated, and are copied at once.
    let (version, overhead, name) = unsafe {
        sys::ggml_set_name(tensor, long.as_ptr());
        let name = CStr::from_ptr(sys::ggml_get_name(tensor)).to_bytes().len();
        (CStr::from_ptr(sys::ggml_version()).to_str()?, sys::ggml_tensor_overhead(), name)
    };
    Ok(format!("ggml {version}, {overhead} bytes a tensor, names of {name}"))
}

/// Fails unless the whole process sees this ggml, and the library at `path` shows none.
pub(crate) fn check_symbols(path: &CStr) -> Result<(), Failure> {
    let name = c"ggml_mul_mat";
    // SAFETY: the texts are NUL-terminated. The library is open already, and is not closed.
    let (everywhere, in_library) = unsafe {
        let library = libc::dlopen(path.as_ptr(), libc::RTLD_LAZY | libc::RTLD_NOLOAD);
        if library.is_null() {
            return Err(format!("{path:?} is not open").into());
        }
        (libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()), libc::dlsym(library, name.as_ptr()))
    };
    if everywhere != sys::ggml_mul_mat as *mut libc::c_void {
        return Err("whisper.cpp's ggml is not the one that the process sees".into());
    }
    if !in_library.is_null() {
        return Err(format!("{path:?} shows its ggml").into());
    }
    Ok(())
}
