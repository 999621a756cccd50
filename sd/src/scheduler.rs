//! Schedulers: which noise levels the steps go through.

use crate::named::named_enum;

named_enum! {
    /// Which noise levels (sigmas) the sampler's steps go through.
    ///
    /// When a request names none, the engine chooses by sampler and model, mostly
    /// [`Scheduler::Discrete`].
    pub enum Scheduler as "scheduler", end SCHEDULER_COUNT {
        /// The model's own training timesteps, evenly spaced.
        Discrete = DISCRETE_SCHEDULER, "discrete", "Uniform", ["normal"];
        /// Karras et al. 2022. Needs two steps at least.
        Karras = KARRAS_SCHEDULER, "karras", "Karras";
        /// Evenly spaced in the logarithm. Needs two steps at least.
        Exponential = EXPONENTIAL_SCHEDULER, "exponential", "Exponential";
        /// Align Your Steps; for SD 1.x and SDXL only.
        Ays = AYS_SCHEDULER, "ays", "Align Your Steps", ["align_your_steps"];
        /// GITS. Needs two steps at least.
        Gits = GITS_SCHEDULER, "gits", "GITS";
        /// SGM's uniform spacing.
        SgmUniform = SGM_UNIFORM_SCHEDULER, "sgm_uniform", "SGM Uniform";
        /// Every n-th sigma.
        Simple = SIMPLE_SCHEDULER, "simple", "Simple";
        /// Smoothstep-spaced.
        Smoothstep = SMOOTHSTEP_SCHEDULER, "smoothstep", "Smoothstep";
        /// KL-optimal.
        KlOptimal = KL_OPTIMAL_SCHEDULER, "kl_optimal", "KL Optimal";
        /// For latent consistency models.
        Lcm = LCM_SCHEDULER, "lcm", "LCM";
        /// Bong tangent.
        BongTangent = BONG_TANGENT_SCHEDULER, "bong_tangent", "Bong Tangent";
        /// LTX-2's own.
        Ltx2 = LTX2_SCHEDULER, "ltx2", "LTX2";
    }
}
