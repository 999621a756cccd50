//! The statuses that many routes have in common, for the OpenAPI document: once for all of them, with the
//! body that errors have in each API.

use std::{collections::BTreeMap, marker::PhantomData};
use utoipa::{
    IntoResponses, PartialSchema,
    openapi::{ContentBuilder, RefOr, Response, ResponseBuilder},
};

/// What a route answers that does not take work on; errors have the form `F`.
pub(crate) struct NotTaken<F>(PhantomData<F>);

impl<F: PartialSchema> IntoResponses for NotTaken<F> {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        documented::<F>(&[
            (400, "a value is not allowed, or the body is not what is expected"),
            (413, "the body is too large"),
            (415, "the body is of another kind"),
            (429, "too many wait; Retry-After says when to ask again"),
            (503, "nothing can be done now"),
        ])
    }
}

/// What a route answers that has taken work on and waits for its end, if that is none.
pub(crate) struct NotDone<F>(PhantomData<F>);

impl<F: PartialSchema> IntoResponses for NotDone<F> {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        documented::<F>(&[
            (408, "the time limit passed; the engine has stopped"),
            (409, "it was cancelled, with no picture done"),
        ])
    }
}

fn documented<F: PartialSchema>(statuses: &[(u16, &str)]) -> BTreeMap<String, RefOr<Response>> {
    let response = |description: &str| {
        let body = ContentBuilder::new().schema(Some(F::schema())).build();
        ResponseBuilder::new().description(description).content("application/json", body).build()
    };
    statuses
        .iter()
        .map(|(status, description)| (status.to_string(), RefOr::T(response(description))))
        .collect()
}
