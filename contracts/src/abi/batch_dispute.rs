use alloy_sol_types::sol;

sol!(
    #[derive(Debug, PartialEq, Eq)]
    BatchDispute,
    "artifacts/BatchDispute.json"
);
