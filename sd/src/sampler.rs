//! Samplers: how a step is taken.

use crate::{Result, Scheduler, named::named_enum};

named_enum! {
    /// How the sampler walks from noise to picture.
    ///
    /// Names are the engine's; [`FromStr`](std::str::FromStr) also takes A1111's ("Euler a",
    /// "DPM++ 2M"). When a request names none, it is [`Sampler::Euler`] for transformer
    /// models (SD3, FLUX, Z-Image…) and [`Sampler::Dpmpp2m`] for UNets.
    pub enum Sampler as "sampler", end SAMPLE_METHOD_COUNT {
        /// Euler's method.
        Euler = EULER_SAMPLE_METHOD, "euler", "Euler";
        /// Euler with fresh noise at each step (ancestral).
        EulerA = EULER_A_SAMPLE_METHOD, "euler_a", "Euler a", ["euler ancestral", "k_euler_a"];
        /// Heun's second-order method: two evaluations a step.
        Heun = HEUN_SAMPLE_METHOD, "heun", "Heun";
        /// DPM-Solver-2.
        Dpm2 = DPM2_SAMPLE_METHOD, "dpm2", "DPM2";
        /// DPM-Solver++ (2S), ancestral.
        Dpmpp2sA = DPMPP2S_A_SAMPLE_METHOD, "dpm++2s_a", "DPM++ 2S a", ["dpmpp_2s_ancestral"];
        /// DPM-Solver++ (2M): the usual choice for UNets.
        Dpmpp2m = DPMPP2M_SAMPLE_METHOD, "dpm++2m", "DPM++ 2M", ["dpmpp_2m"];
        /// DPM-Solver++ (2M), modified.
        Dpmpp2mV2 = DPMPP2Mv2_SAMPLE_METHOD, "dpm++2mv2", "DPM++ 2M v2";
        /// iPNDM.
        Ipndm = IPNDM_SAMPLE_METHOD, "ipndm", "iPNDM";
        /// iPNDM with variable steps.
        IpndmV = IPNDM_V_SAMPLE_METHOD, "ipndm_v", "iPNDM_v";
        /// For latent consistency models.
        Lcm = LCM_SAMPLE_METHOD, "lcm", "LCM";
        /// DDIM with trailing timesteps.
        DdimTrailing = DDIM_TRAILING_SAMPLE_METHOD, "ddim_trailing", "DDIM", ["ddim trailing"];
        /// Trajectory consistency distillation.
        Tcd = TCD_SAMPLE_METHOD, "tcd", "TCD";
        /// Restart, multistep.
        ResMultistep = RES_MULTISTEP_SAMPLE_METHOD, "res_multistep", "Res Multistep";
        /// Restart, two stages: two evaluations a step.
        Res2s = RES_2S_SAMPLE_METHOD, "res_2s", "Res 2S";
        /// Extended reverse-time SDE.
        ErSde = ER_SDE_SAMPLE_METHOD, "er_sde", "ER SDE";
        /// Euler with CFG++.
        EulerCfgPp = EULER_CFG_PP_SAMPLE_METHOD, "euler_cfg_pp", "Euler CFG++";
        /// Ancestral Euler with CFG++.
        EulerACfgPp = EULER_A_CFG_PP_SAMPLE_METHOD, "euler_a_cfg_pp", "Euler a CFG++";
        /// Gradient-estimation Euler.
        EulerGe = EULER_GE_SAMPLE_METHOD, "euler_ge", "Euler GE";
    }
}

impl Sampler {
    /// Reads a name that may carry its scheduler, as A1111 wrote them until 1.9:
    /// `DPM++ 2M Karras` is the sampler `DPM++ 2M` with the scheduler `Karras`.
    ///
    /// # Errors
    /// [`Error::InvalidParameter`](crate::Error::InvalidParameter) if no sampler has that name.
    pub fn with_scheduler(text: &str) -> Result<(Self, Option<Scheduler>)> {
        let whole = match text.parse() {
            Ok(sampler) => return Ok((sampler, None)),
            Err(error) => error,
        };
        let cut = text.trim().rsplit_once(char::is_whitespace);
        let parts = cut.and_then(|(sampler, scheduler)| {
            Some((sampler.parse().ok()?, Some(scheduler.parse().ok()?)))
        });
        parts.ok_or(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_eight_names_of_the_first_users() {
        for (text, sampler) in [
            ("Euler a", Sampler::EulerA),
            ("Euler", Sampler::Euler),
            ("Heun", Sampler::Heun),
            ("DPM2", Sampler::Dpm2),
            ("DPM++ 2S a", Sampler::Dpmpp2sA),
            ("DPM++ 2M", Sampler::Dpmpp2m),
            ("DPM++ 2M v2", Sampler::Dpmpp2mV2),
            ("LCM", Sampler::Lcm),
        ] {
            assert_eq!(text.parse::<Sampler>().unwrap(), sampler);
        }
    }

    #[test]
    fn a_name_may_carry_its_scheduler() {
        assert_eq!(
            Sampler::with_scheduler("DPM++ 2M Karras").unwrap(),
            (Sampler::Dpmpp2m, Some(Scheduler::Karras))
        );
        assert_eq!(Sampler::with_scheduler("Euler a").unwrap(), (Sampler::EulerA, None));
        let error = Sampler::with_scheduler("DPM++ 9Z Karras").unwrap_err();
        assert!(error.to_string().contains("euler_a"), "{error}");
    }

    proptest::proptest! {
        #[test]
        fn what_is_read_is_written_in_the_text(text in "\\PC{0,20}") {
            if let Ok((sampler, scheduler)) = Sampler::with_scheduler(&text) {
                let again = scheduler.map_or(sampler.name().to_owned(), |s| format!("{sampler} {s}"));
                assert_eq!(Sampler::with_scheduler(&again).unwrap(), (sampler, scheduler));
            }
        }

        #[test]
        fn every_pair_of_names_is_read(a in 0..Sampler::ALL.len(), b in 0..Scheduler::ALL.len()) {
            let (sampler, scheduler) = (Sampler::ALL[a], Scheduler::ALL[b]);
            let text = format!("{} {}", sampler.label(), scheduler.name());
            assert_eq!(Sampler::with_scheduler(&text).unwrap(), (sampler, Some(scheduler)));
        }
    }

    #[test]
    fn every_name_and_label_is_read_back() {
        for sampler in Sampler::ALL {
            assert_eq!(sampler.name().parse::<Sampler>().unwrap(), *sampler);
            assert_eq!(sampler.label().parse::<Sampler>().unwrap(), *sampler);
            assert_eq!(Sampler::from_engine(sampler.to_engine()), Some(*sampler));
        }
        assert_eq!(Sampler::from_engine(-1), None);
        assert_eq!(Sampler::from_engine(Sampler::AUTO), None);
    }
}
