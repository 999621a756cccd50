//! What was open when the program ended last.

use super::{Service, blocking};
use crate::{
    error::ApiError,
    history::Unfinished,
    job::{Job, Jobs},
    model::Active,
};
use axum::http::StatusCode;
use sdcpp::ImageRequest;
use std::sync::Arc;

/// How often the program may end while the engine works on a job: it may be why.
const CRASHES: u32 = 3;

/// A job that is to be drawn.
type Ready = (Arc<Active>, Arc<Job>, ImageRequest);

impl Service {
    /// Takes up the jobs that were open when the program ended last, and forgets from now on what is too
    /// old. Within a runtime.
    ///
    /// A job whose client waited for the answer is failed, for the client has gone. One that the engine
    /// worked on when the program ended unasked, three times, is failed as well: it may be why.
    ///
    /// # Errors
    /// The history cannot be read.
    pub async fn begin(&self) -> Result<(), ApiError> {
        let history = self.jobs().history();
        let mut ready = Vec::new();
        for before in blocking(move || history.unfinished()).await? {
            match self.take_up(&before).await {
                Ok(job) => ready.push(job),
                Err(why) => self.give_up(before, why).await,
            }
        }
        tokio::spawn(draw_in_order(self.clone(), ready));
        tokio::spawn(Jobs::forget_by_age(Arc::downgrade(self.jobs())));
        Ok(())
    }

    async fn take_up(&self, before: &Unfinished) -> Result<Ready, ApiError> {
        let interrupted = |why: &str| {
            let message = format!("the server ended while this was open{why}");
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "interrupted", message)
        };
        let Some(text) = before.request.clone() else {
            return Err(interrupted(", and who waited for it has gone"));
        };
        if before.crashes >= CRASHES {
            return Err(interrupted(&format!(", {} times while it was drawn", before.crashes)));
        }
        let active = self.model(Some(&before.view.model)).await?;
        let request: ImageRequest = blocking(move || {
            serde_json::from_str(&text).map_err(|error| {
                ApiError::internal(format!("what was asked for cannot be read: {error}"))
            })
        })
        .await?;
        let (job, request) = self.jobs().take_up(&active, request, before)?;
        Ok((active, job, request))
    }

    async fn give_up(&self, before: Unfinished, why: ApiError) {
        let (id, why) = (before.view.id, self.hidden().clean_error(why));
        tracing::warn!(job = %id, code = %why.code, "not taken up again: {}", why.message);
        let (history, view) = (self.jobs().history(), before.view.failed(&why));
        if let Err(error) = blocking(move || history.end(&view, &[], None)).await {
            // It is tried again at the next start.
            tracing::error!(job = %id, code = %error.code, "{}", error.message);
        }
    }
}

/// Has them drawn in the order in which they were accepted: the next one comes when one is in the queue.
async fn draw_in_order(service: Service, ready: Vec<Ready>) {
    for (active, job, request) in ready {
        tracing::info!(job = %job.id, "taken up again");
        service.jobs().begin(&active, &job, request, service.options().time_limit());
        // Its own task tells what is wrong with it.
        let _in_the_queue = job.accepted().await;
    }
}
