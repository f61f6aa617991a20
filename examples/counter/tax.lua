-- One number that other modules compute with. Change it and save: the menu's prices follow.
return { rate = 0.25 }
