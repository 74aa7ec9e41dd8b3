use alloy_sol_types::sol;

sol!(
    #[derive(Debug, PartialEq, Eq)]
    OfferingFactory,
    "artifacts/OfferingFactory.json"
);
