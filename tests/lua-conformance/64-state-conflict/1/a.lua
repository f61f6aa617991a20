return { hp = 120 }
