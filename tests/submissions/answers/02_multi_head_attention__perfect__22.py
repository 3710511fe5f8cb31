# Perfect, with heads cut by reshape and transpose.
