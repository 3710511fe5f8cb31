# Perfect: as the lesson shows it.
