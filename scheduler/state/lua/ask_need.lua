-- Says whether a sweep that has not ended wants a stage, or a stage that starts from it. Writes nothing.
-- Arguments: stage.
-- Answers 1 or 0.
return is_needed(ARGS[1]) and 1 or 0
