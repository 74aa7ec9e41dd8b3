use alloy_sol_types::sol;

sol!(
    #[derive(Debug, PartialEq, Eq)]
    Offering,
    "artifacts/Offering.json"
);
