"""Every benchmark, in the order of the results, with what it measures in a line."""

BENCHMARKS = {
    "trainings": "64 trainings of ten steps at a service that works once a second, with everything around them.",
    "trial_runners": "The same trainings by tools that run trials.",
    "in_flight": "500 such trainings at once, in one process.",
    "client_cost": "What a training step costs the client.",
    "service_cycles": "How much of the service's time a training uses.",
    "transitions": "What the queue itself costs.",
    "grids": "Planning and submitting 100,000 runs.",
    "kept_stages": "What a finished stage takes in Redis.",
    "makespan": "How well a night's slots are filled, with the real admission and a simulated clock.",
    "large_fleet": "Admission in a fleet beyond any that exists, with a simulated clock.",
    "growth": "How the cost of looking grows with what is there.",
    "answers": "From a thousand results to a report.",
    "server_load": "tinker_offline under a burst.",
    "starting": "What a person waits for when they type a command.",
    "demo_run": "What a newcomer waits for.",
}
