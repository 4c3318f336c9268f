"""Invented people need names. Drawn independently, so that a full name says nothing of a real person."""

from __future__ import annotations

GIVEN = """Ada Adele Aiden Alba Alma Amara Amir Anders Anouk Anya Arlo Asha Aurel Ayla Basil Bea Benno Bria Caio Cara Cassia
Cedric Celia Cleo Cora Cyrus Dalia Dara Davin Delia Dina Dov Edda Elan Elio Elsa Emre Enzo Esme Ezra Fabian Farah Faye
Felix Fenna Finn Flora Gaia Gideon Greta Hana Hector Hilda Hugo Ida Idris Ilse Imani Ines Iris Isko Ivo Jada Jairo Jana
Jonas Juna Kai Kamal Keira Kenji Kian Lana Lars Leila Leon Lina Linus Lior Lotte Luca Lucia Mabel Maia Malik Marisol Mateo
Milo Mina Mira Nadia Naveen Nell Nico Nina Noor Odette Olin Omar Orla Oscar Pablo Paloma Petra Pia Quinn Rafi Rania Reem
Remy Rhea Rio Rosa Ruben Sadie Sana Selma Silas Sol Suri Tadeo Talia Tariq Tessa Theo Tova Uma Vera Viggo Wren Xenia Yara
Yusuf Zadie Zane Zora""".split()

FAMILY = """Abara Adeyemi Alder Almeida Amato Anselm Arroyo Ashdown Baptiste Barros Bello Bergstrom Birch Boateng Brandt
Calder Camara Castellan Chaudry Cisneros Corvin Dahl Danso Delacroix Delgado Dimas Drummond Duarte Ekström Elmas Escobedo
Fairbairn Falk Farouk Fenwick Ferrante Fontaine Fujita Galvan Garrow Ghosh Granger Haddad Hale Hartmann Hassan Haugen Holm
Ibarra Idowu Imai Ivarsson Jansen Jarrah Kaplan Kassab Keane Kimura Kowal Lachance Lam Larkin Lindqvist Loera Lowell Macias
Madaki Mahler Mancini Marlowe Mbeki Medina Mehta Mercado Moreau Nakata Navarro Ndiaye Nielsen Novak Obi Okafor Olsen Ortega
Osei Paquette Park Pereira Petrov Quiroga Rahman Rasmussen Renner Reyes Rossi Rowan Sabry Salazar Sandoval Santos Sato
Schaefer Serrano Shah Silva Singh Solberg Sorensen Stavros Strand Suzuki Tahir Tanaka Thorne Tran Tucker Ueda Vallejo
Varga Vega Vidal Wahlberg Walsh Whitlock Winther Yamada Yilmaz Zamora Zielinski""".split()

SCHOOLS = """Alder Creek,Bluestem,Cottonwood,Dunmore,Eastgate,Fairmount,Gable Hill,Harrow Lake,Ironwood,Juniper Flats,
Kestrel,Lantern Hill,Millrace,Northfield,Orchard Bend,Prairie View,Quarry Road,Redbud,Stonebridge,Tamarack,Upland,Vireo,
Willow Run,Yarrow""".replace("\n", "").split(",")
