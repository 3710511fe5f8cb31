# Perfect, as the lesson puts it.
