-- Closes the books because a person or a command knows that writes were lost, such as after a restore.
-- Arguments: milliseconds since 1970 up to which nothing was lost ('': up to the last note), the cause.
-- Answers 1.
close_books(tonumber(ARGS[1]) or tonumber(read('HGET', BOOKS, 'at')) or NOW, ARGS[2])
return 1
